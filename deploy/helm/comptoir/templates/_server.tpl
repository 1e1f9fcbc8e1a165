{{/* A server that computes in a replica's place: beside it in its pod, or elsewhere in the cluster. */}}

{{/* Its container, as YAML: needs `pool` with its values, `name` of its model and `resources` with GPUs. */}}
{{- define "comptoir.server.container" -}}
{{- $server := .pool.server -}}
name: server
image: {{ $server.image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
restartPolicy: Always
{{- with $server.command }}
command: {{ toJson . }}
{{- end }}
{{- with $server.args }}
args: {{ toJson . }}
{{- end }}
env:
  # Nothing is fetched, nobody is told; what is compiled and kept meanwhile is in /tmp.
  - {name: HOME, value: /tmp}
  - {name: XDG_CACHE_HOME, value: /tmp/cache}
  - {name: HF_HUB_OFFLINE, value: "1"}
  - {name: VLLM_NO_USAGE_STATS, value: "1"}
  - {name: DO_NOT_TRACK, value: "1"}
  {{- with $server.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $server.livenessProbe }}
livenessProbe:
  # Whoever asks sooner kills a server that still loads its model.
  {{- merge (deepCopy .) (dict "initialDelaySeconds" (int $.pool.startSeconds)) | toYaml | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - {name: server-scratch, mountPath: /tmp}
  - {name: shared-memory, mountPath: /dev/shm}
  {{- if or .pool.modelFiles.claim .pool.modelFiles.image }}
  - {name: model, mountPath: /models, readOnly: true}
  {{- end }}
{{- end }}

{{/* Where the replica finds it; the number of the replica is put in by the kubelet. */}}
{{- define "comptoir.server.url" -}}
{{- if .url }}{{ .url | replace "{replica}" "$(COMPTOIR_GENERATOR__REPLICA)" }}
{{- else }}{{ printf "http://127.0.0.1:%d" (int .port) }}{{ end }}
{{- end }}

{{- define "comptoir.server.port" -}}
{{- $host := trimPrefix "https://" .url -}}
{{- if contains ":" $host }}{{ splitList ":" $host | last }}{{ else }}443{{ end }}
{{- end }}

{{/* The addresses of the servers of a pool with a url, as YAML: needs `root` and `pool`. */}}
{{- define "comptoir.server.addresses" -}}
{{- $found := list -}}
{{- $end := printf ".%s" .root.Values.clusterDomain -}}
{{- if .pool.server.url -}}
{{- range $step := until (int .pool.maxReplicas) -}}
{{- $number := toString (add (int $.pool.firstReplica) $step) -}}
{{- $host := regexReplaceAll ":[0-9]+$" (trimPrefix "https://" $.pool.server.url) "" | replace "{replica}" $number -}}
{{- $found = append $found (printf "%s:%s" (trimSuffix $end $host) (include "comptoir.server.port" $.pool.server)) -}}
{{- end -}}
{{- end -}}
{{ toYaml (uniq $found) }}
{{- end }}

{{/* What the chart says of it in the replica's settings; the rest is settings.openai_server. */}}
{{- define "comptoir.settings.server" -}}
engine: openai_server
openai_server:
  kind: {{ .server.kind }}
  {{- if not .server.url }}
  url: {{ include "comptoir.server.url" .server | quote }}
  {{- end }}
  {{- if .server.caSecret }}
  ca_file: /etc/comptoir/server-ca/ca.crt
  {{- end }}
  {{- if .server.apiKeySecret }}
  api_key_file: /etc/comptoir/server-key/api-key
  {{- end }}
  {{- if not (hasKey (default dict .settings.openai_server) "start_seconds") }}
  start_seconds: {{ int .startSeconds }}
  {{- end }}
{{- end }}

{{- define "comptoir.checks.server" -}}
{{- $server := .pool.server -}}
{{- $own := default dict .pool.settings.openai_server -}}
{{- $where := printf "pools.%s.server" .name -}}
{{- if not $server.kind -}}
{{- if or $server.image $server.url $server.to $server.caSecret $server.apiKeySecret (eq (toString .pool.settings.engine) "openai_server") -}}
{{- fail (printf "%s.kind is empty: say whose server it is, vllm, sglang, tensorrt_llm or llama_cpp." $where) -}}
{{- end -}}
{{- else -}}
{{- if not (has (default "openai_server" .pool.settings.engine) (list "openai_server")) -}}
{{- fail (printf "%s.kind is %s, and pools.%s.settings.engine is %s: leave one out." $where $server.kind .name .pool.settings.engine) -}}
{{- end -}}
{{- if eq (empty $server.image) (empty $server.url) -}}
{{- fail (printf "%s needs either image, a server in the replica's pod, or url, one elsewhere in this cluster." $where) -}}
{{- end -}}
{{- $keeps := default "per_request" $own.prefix_cache -}}
{{- if and (eq $server.kind "tensorrt_llm") (eq $keeps "per_request") -}}
{{- fail (printf "%s.kind is tensorrt_llm, which would show one tenant what another asked: start it without its prefix cache and set pools.%s.settings.openai_server.prefix_cache to \"off\", or to one_tenant with settings.tenant." $where .name) -}}
{{- end -}}
{{- if and (eq $keeps "one_tenant") (not .pool.settings.tenant) -}}
{{- fail (printf "pools.%s.settings.openai_server.prefix_cache is one_tenant: name that tenant's number in pools.%s.settings.tenant." .name .name) -}}
{{- end -}}
{{- if $server.image -}}
{{- if has (int $server.port) (list 8402 (int .root.Values.metrics.port)) -}}
{{- fail (printf "%s.port is %d, on which the replica listens in the same pod: choose another, such as 8000." $where (int $server.port)) -}}
{{- end -}}
{{- if or $server.apiKeySecret $server.caSecret $server.to -}}
{{- fail (printf "%s.image is in the replica's pod, where nobody else reaches it: leave to, caSecret and apiKeySecret to servers with a url." $where) -}}
{{- end -}}
{{- if or $server.livenessProbe.httpGet $server.livenessProbe.tcpSocket $server.livenessProbe.grpc -}}
{{- fail (printf "%s.livenessProbe asks the pod's address, and the server listens on loopback: let it be exec, a program of the server's image." $where) -}}
{{- end -}}
{{- else -}}
{{- include "comptoir.checks.server.elsewhere" . -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Prompts stay in the region: in this cluster, by its names, and through a policy that knows the server's pods. */}}
{{- define "comptoir.checks.server.elsewhere" -}}
{{- $server := .pool.server -}}
{{- $where := printf "pools.%s.server" .name -}}
{{- $host := regexReplaceAll ":[0-9]+$" (trimPrefix "https://" $server.url) "" -}}
{{- $name := replace "{replica}" "0" $host | trimSuffix (printf ".%s" .root.Values.clusterDomain) -}}
{{- if not (regexMatch "^[a-z0-9-]+([.][a-z0-9-]+)+[.]svc$" $name) -}}
{{- fail (printf "%s.url is not a service of this cluster: prompts would leave the region; name it NAME.NAMESPACE.svc." $where) -}}
{{- end -}}
{{- $port := include "comptoir.server.port" $server -}}
{{- if gt (int $port) 65535 -}}
{{- fail (printf "%s.url has the port %s, which is none: the highest is 65535." $where $port) -}}
{{- end -}}
{{- if and (gt (max (int .pool.replicas) (ternary (int .pool.maxReplicas) 0 .pool.autoscaling.enabled)) 1) (not (contains "{replica}" $server.url)) -}}
{{- fail (printf "%s.url is the same for all replicas, and a server is for one: put {replica} into it, or set replicas to 1." $where) -}}
{{- end -}}
{{- if and .root.Values.networkPolicies.enabled (not $server.to) -}}
{{- fail (printf "%s.to is empty, so the replica would not reach its server: name its pods, such as {namespaceSelector: …, podSelector: …}." $where) -}}
{{- end -}}
{{- range $server.to -}}
{{- /* An empty selector is everybody, and so is one of empty lists. */ -}}
{{- $pods := dig "podSelector" "matchLabels" "" . | or (dig "podSelector" "matchExpressions" "" .) -}}
{{- $namespaces := dig "namespaceSelector" "matchLabels" "" . | or (dig "namespaceSelector" "matchExpressions" "" .) -}}
{{- if or .ipBlock (not (and $pods $namespaces)) -}}
{{- fail (printf "%s.to names others than the server's pods: each peer is a namespaceSelector with a podSelector, neither empty." $where) -}}
{{- end -}}
{{- end -}}
{{- end }}
