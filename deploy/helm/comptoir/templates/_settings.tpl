{{/* The settings file of each process: the shared keys and its own section. What stands here wins over
     `settings` of the values, whose schema refuses these keys. */}}

{{- define "comptoir.tls" -}}
certificate_file: {{ . }}/tls.crt
private_key_file: {{ . }}/tls.key
ca_file: {{ . }}/ca.crt
{{- end }}

{{- define "comptoir.settings.shared" -}}
region: {{ .root.Values.region }}
log_level: {{ .root.Values.logLevel }}
catalog:
  {{- with .root.Values.catalog.regions }}
  regions:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- omit .root.Values.catalog "regions" | toYaml | nindent 2 }}
{{- with .root.Values.transfers }}
{{- if .configMap }}
transfers:
  folder: /etc/comptoir/transfers
  requester_key_files:
    {{- range $name, $file := .requesterKeys }}
    {{ $name }}: /etc/comptoir/transfers/{{ $file }}
    {{- else }} {}
    {{- end }}
  approver_key_files:
    {{- range $name, $file := .approverKeys }}
    {{ $name }}: /etc/comptoir/transfers/{{ $file }}
    {{- else }} {}
    {{- end }}
{{- end }}
{{- end }}
{{- with .root.Values.telemetry }}
{{- if and .otlpEndpoint (or .fromGenerators (ne $.process "generator")) }}
telemetry:
  otlp_endpoint: {{ .otlpEndpoint | quote }}
  metric_interval_seconds: {{ .intervalSeconds }}
  {{- if .ownCertificates }}
  otlp_tls:
    {{- include "comptoir.tls" "/etc/comptoir/tls" | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "comptoir.settings.metrics" -}}
{{- with int .root.Values.metrics.port }}
metrics_listen:
  host: 0.0.0.0
  port: {{ . }}
  tls:
    {{- include "comptoir.tls" "/etc/comptoir/tls" | nindent 4 }}
{{- end }}
{{- end }}

{{/* What every side of a call between processes has: a certificate, and the region of the other one. */}}
{{- define "comptoir.peers" -}}
peer_region: {{ include "comptoir.region" . | quote }}
tls:
  {{- include "comptoir.tls" "/etc/comptoir/tls" | nindent 2 }}
{{- end }}

{{- define "comptoir.process" -}}
{{ printf "%s/process/%s" (include "comptoir.region" .root) .process }}
{{- end }}

{{/* One address to call with the process's own certificate: needs `root` and `address`. */}}
{{- define "comptoir.target" -}}
address: {{ .address | quote }}
{{ include "comptoir.peers" .root }}
{{- end }}

{{/* The emitter of a producer, always the same: needs `root` and `number`. */}}
{{- define "comptoir.settings.emitter" -}}
emitter:
  {{- $address := printf "%s:8403" (include "comptoir.pod" (dict "root" .root "process" "emitter" "number" .number)) }}
  {{- include "comptoir.target" (dict "root" .root "address" $address) | nindent 2 }}
{{- end }}

{{- define "comptoir.settings.edge" -}}
{{- $router := dict "root" .root "process" "router" -}}
listen:
  host: 0.0.0.0
  port: 8443
  tls:
    certificate_file: /etc/comptoir/http-tls/tls.crt
    private_key_file: /etc/comptoir/http-tls/tls.key
router:
  {{- $first := printf "%s:8401" (include "comptoir.pod" (merge (dict "number" 1) $router)) }}
  {{- include "comptoir.target" (dict "root" .root "address" $first) | nindent 2 }}
further_routers:
{{- range $number := untilStep 2 (add1 (int .root.Values.router.replicas) | int) 1 }}
  {{- $address := printf "%s:8401" (include "comptoir.pod" (merge (dict "number" $number) $router)) }}
  - {{ include "comptoir.target" (dict "root" $.root "address" $address) | nindent 4 | trim }}
{{- else }} []
{{- end }}
generator_peer_region: {{ include "comptoir.region" .root | quote }}
generator_tls:
  {{- include "comptoir.tls" "/etc/comptoir/tls" | nindent 2 }}
prefix_secret_file: /etc/comptoir/secrets/prompt-prefixes
{{ include "comptoir.settings.emitter" (dict "root" .root "number" .root.Values.edge.emitter) }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{- define "comptoir.settings.router" -}}
{{- $router := .root.Values.router -}}
listen:
  address: 0.0.0.0:8401
  {{- include "comptoir.peers" .root | nindent 2 }}
  callers:
    RouterService: {{ concat (list (include "comptoir.process" (dict "root" .root "process" "edge"))) $router.callers | toJson }}
replica_listen:
  address: 0.0.0.0:8411
  {{- include "comptoir.peers" .root | nindent 2 }}
  callers:
    ReplicaService: [{{ include "comptoir.process" (dict "root" .root "process" "generator") | quote }}]
admin_listen:
  address: 0.0.0.0:8444
  tls:
    {{- include "comptoir.tls" "/etc/comptoir/tls" | nindent 4 }}
  callers:
    AdminService: {{ $router.operators | toJson }}
    {{- if .root.Values.console.enabled }}
    {{- $lookers := append $router.operators (include "comptoir.process" (dict "root" .root "process" "console")) | toJson }}
    # What the console shows, and no more.
    AdminService/ListReplicas: {{ $lookers }}
    AdminService/ListTenants: {{ $lookers }}
    {{- end }}
{{- include "comptoir.settings.scaling" . }}
{{ include "comptoir.settings.emitter" (dict "root" .root "number" $router.emitter) }}
pepper_file: /etc/comptoir/secrets/pepper
signing_key_file: /etc/comptoir/secrets/signing-key
signing_key_number: {{ int $router.signingKeyNumber }}
{{- with $router.database }}
{{- if .host }}
database_url: {{ printf "postgresql://%s@%s:%d/%s?sslmode=verify-full&sslrootcert=/etc/comptoir/database/ca.crt" .user .host (int .port) .name | quote }}
database_password_file: /etc/comptoir/secrets/database-password
{{- else }}
database_file: /var/lib/comptoir/keys.db
{{- end }}
{{- end }}
{{- with $router.leaseStore }}
{{- if .address }}
lease_store:
  address: {{ .address | quote }}
  tls:
    {{- include "comptoir.tls" (ternary "/etc/comptoir/lease-store" "/etc/comptoir/tls" (ne .tlsSecret "")) | nindent 4 }}
  user: {{ .user | quote }}
  {{- if .hasPassword }}
  password_file: /etc/comptoir/secrets/lease-store-password
  {{- end }}
  while_away: {{ .whileAway }}
  sharing_routers: {{ int $router.replicas }}
{{- end }}
{{- end }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{- define "comptoir.settings.scaling" -}}
{{- $rules := list -}}
{{- range $name, $_ := .root.Values.pools -}}
{{- $pool := include "comptoir.pool" (dict "root" $.root "pool" $name) | fromYaml -}}
{{- if $pool.autoscaling.enabled -}}
{{- $own := dict "model" $pool.model "min_replicas" $pool.autoscaling.minReplicas "max_replicas" $pool.maxReplicas -}}
{{- with $pool.settings.tenant }}{{ $_ := set $own "tenant" . }}{{ end -}}
{{- $rules = append $rules (merge $own $pool.autoscaling.rules) -}}
{{- end -}}
{{- end -}}
{{- with $rules }}
scaler_listen:
  address: 0.0.0.0:8412
  {{- include "comptoir.peers" $.root | nindent 2 }}
  callers:
    ExternalScaler: [{{ include "comptoir.process" (dict "root" $.root "process" "keda-operator") | quote }}]
scaling:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "comptoir.settings.generator" -}}
{{- $pool := include "comptoir.pool" . | fromYaml -}}
listen:
  address: 0.0.0.0:8402
  {{- include "comptoir.peers" .root | nindent 2 }}
  callers:
    GeneratorService: {{ concat (list (include "comptoir.process" (dict "root" .root "process" "edge"))) $pool.callers | toJson }}
router:
  {{- $address := printf "%s:8411" (include "comptoir.service" (dict "root" .root "process" "router")) }}
  {{- include "comptoir.target" (dict "root" .root "address" $address) | nindent 2 }}
{{ include "comptoir.settings.emitter" (dict "root" .root "number" $pool.emitter) }}
model: {{ $pool.model | quote }}
{{- if or $pool.modelFiles.claim $pool.modelFiles.image }}
model_path: {{ printf "/models/%s" $pool.modelFiles.path | clean }}
{{- end }}
ticket_public_keys:
{{- range .root.Values.router.trustedKeyNumbers }}
  {{ int . }}: /etc/comptoir/secrets/ticket-{{ int . }}.pub
{{- end }}
cache_salt_secret_file: /etc/comptoir/secrets/cache-salt
{{- if $pool.server.kind }}
{{ include "comptoir.settings.server" $pool }}
{{- else if ne (toString $pool.settings.engine) "simulated" }}
vllm:
  tensor_parallel_size: {{ max 1 (int $pool.gpus) }}
  is_download_allowed: false
  {{- if and (eq $pool.accelerator "cuda") (not (hasKey (default dict $pool.settings.vllm) "kv_cache_memory_bytes")) }}
  # What of the GPU's memory is free.
  kv_cache_memory_bytes: 0
  {{- end }}
{{- end }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{- define "comptoir.settings.kafka" -}}
bootstrap: {{ .root.Values.kafka.bootstrap | quote }}
{{- with .root.Values.kafka }}
{{- if .tlsSecret }}
tls:
  {{- include "comptoir.tls" "/etc/comptoir/kafka" | nindent 2 }}
{{- else }}
ca_file: /etc/comptoir/kafka/ca.crt
{{- end }}
{{- $user := get .sasl (printf "%sUser" $.process) }}
{{- with $user }}
sasl:
  mechanism: {{ $.root.Values.kafka.sasl.mechanism }}
  user: {{ . | quote }}
  password_file: /etc/comptoir/secrets/kafka-password
{{- end }}
{{- end }}
{{- end }}

{{- define "comptoir.settings.emitter-process" -}}
listen:
  address: 0.0.0.0:8403
  {{- include "comptoir.peers" .root | nindent 2 }}
  callers:
    EmitterService:
    {{- range $process := list "edge" "router" "generator" }}
    - {{ include "comptoir.process" (dict "root" $.root "process" $process) | quote }}
    {{- end }}
spool_folder: /var/lib/comptoir/spool
kafka:
  {{- include "comptoir.settings.kafka" . | nindent 2 }}
pseudonym_epoch: {{ int .root.Values.emitter.pseudonymEpoch }}
pseudonym_secret_file: /etc/comptoir/secrets/pseudonym-epoch-{{ int .root.Values.emitter.pseudonymEpoch }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{- define "comptoir.settings.usage" -}}
listen:
  address: 0.0.0.0:8407
  {{- include "comptoir.peers" .root | nindent 2 }}
kafka:
  {{- include "comptoir.settings.kafka" . | nindent 2 }}
clickhouse:
  url: {{ .root.Values.clickhouse.url | quote }}
  user: {{ .root.Values.clickhouse.user | quote }}
  database: {{ .root.Values.clickhouse.database }}
  engine: {{ .root.Values.clickhouse.engine }}
  password_file: /etc/comptoir/secrets/clickhouse-password
  {{- if .root.Values.clickhouse.caSecret }}
  ca_file: /etc/comptoir/clickhouse/ca.crt
  {{- end }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{- define "comptoir.settings.console" -}}
{{- $values := .root.Values -}}
{{- $router := dict "root" .root "process" "router" "number" 1 -}}
listen:
  host: 0.0.0.0
  port: 8414
  tls:
    certificate_file: /etc/comptoir/http-tls/tls.crt
    private_key_file: /etc/comptoir/http-tls/tls.key
    {{- if $values.console.signOn.clientCaSecret }}
    client_ca_file: /etc/comptoir/clients/ca.crt
    {{- end }}
public_names: {{ $values.console.hosts | toJson }}
{{- with $values.console.signOn.proxy }}
{{- if .addresses }}
proxy:
  addresses: {{ .addresses | toJson }}
  header: {{ .header }}
{{- end }}
{{- end }}
admin:
  {{- include "comptoir.target" (dict "root" .root "address" (printf "%s:8444" (include "comptoir.pod" $router))) | nindent 2 }}
edge:
  url: {{ printf "https://%s:%d" (include "comptoir.service" (dict "root" .root "process" "edge")) (int $values.edge.service.port) | quote }}
  {{- if not $values.edge.tlsSecret }}
  ca_file: /etc/comptoir/tls/ca.crt
  {{- else }}
  {{- /* Clients know it by another name than its service's. */}}
  server_name: {{ first $values.edge.hosts | quote }}
  {{- if $values.console.edgeCaSecret }}
  ca_file: /etc/comptoir/edge-ca/ca.crt
  {{- end }}
  {{- end }}
store:
  url: {{ $values.clickhouse.url | quote }}
  user: {{ $values.console.clickhouseUser | quote }}
  database: {{ $values.clickhouse.database }}
  password_file: /etc/comptoir/secrets/clickhouse-password
  {{- if $values.clickhouse.caSecret }}
  ca_file: /etc/comptoir/clickhouse/ca.crt
  {{- end }}
processes:
  {{- $asked := list (list "router" 1 $values.router.replicas 8401) (list "emitter" 0 $values.emitter.replicas 8403) (list "usage" 0 $values.usage.replicas 8407) }}
  {{- range $one := $asked }}
  {{- $process := index $one 0 }}
  {{- /* It asks 64 processes at most. */}}
  {{- range $step := until (min 21 (index $one 2) | int) }}
  {{- $number := add (index $one 1) $step }}
  {{ $process }}-{{ $number }}:
    {{- $pod := include "comptoir.pod" (dict "root" $.root "process" $process "number" $number) }}
    {{- include "comptoir.target" (dict "root" $.root "address" (printf "%s:%d" $pod (index $one 3 | int))) | nindent 4 }}
  {{- end }}
  {{- end }}
{{- include "comptoir.settings.metrics" . }}
{{- end }}

{{/* The whole file: needs `root`, `process`, `settings` of the values, and `pool` for a generator. */}}
{{- define "comptoir.settings" -}}
{{- $section := ternary "emitter-process" .process (eq .process "emitter") -}}
{{- $own := include (printf "comptoir.settings.%s" $section) . | fromYaml -}}
{{- if hasKey $own "Error" }}{{ fail (printf "the settings of %s: %s" .process $own.Error) }}{{ end -}}
{{- $shared := include "comptoir.settings.shared" . | fromYaml -}}
{{- if hasKey $shared "Error" }}{{ fail (printf "the shared settings: %s" $shared.Error) }}{{ end -}}
{{ merge (dict .process (mergeOverwrite (deepCopy .settings) $own)) $shared | toYaml }}
{{- end }}
