{{/* What a schema cannot say: each refusal is a sentence with the next step. */}}

{{- define "comptoir.checks" -}}
{{- $values := .Values -}}
{{- if not $values.nodes.regions -}}
{{- fail (printf "nodes.regions is empty: name the values of the node label %s that are in %s, so that no pod runs elsewhere." $values.nodes.regionKey $values.region) -}}
{{- end -}}
{{- if not $values.catalog.models -}}
{{- fail "catalog.models is empty: name each model with its number, name, context_tokens and max_output_tokens." -}}
{{- end -}}
{{- if not $values.pools -}}
{{- fail "pools is empty: name at least one pool of generators with its model and firstReplica." -}}
{{- end -}}
{{- if and (eq $values.certificates.from "secrets") (not $values.edge.tlsSecret) -}}
{{- fail "edge.tlsSecret is empty, and certificates.from is secrets: name the secret with tls.crt and tls.key that clients trust." -}}
{{- end -}}
{{- include "comptoir.checks.clients" . -}}
{{- include "comptoir.checks.certificates" . -}}
{{- include "comptoir.checks.metrics" . -}}
{{- include "comptoir.checks.stores" . -}}
{{- include "comptoir.checks.emitters" . -}}
{{- include "comptoir.checks.pools" . -}}
{{- include "comptoir.checks.ways" . -}}
{{- if .Values.console.enabled }}{{ include "comptoir.checks.console" . }}{{ end -}}
{{- end }}

{{/* It knows tenants by name: whoever reaches it without signing on would too. */}}
{{- define "comptoir.checks.console" -}}
{{- $console := .Values.console -}}
{{- $proxies := $console.signOn.proxy.addresses -}}
{{- if not $console.hosts -}}
{{- fail "console.hosts is empty: name the host by which browsers reach it, requests for any other are refused." -}}
{{- end -}}
{{- if not (or $proxies $console.signOn.clientCaSecret) -}}
{{- fail "console.signOn lets in everybody: name the networks of a proxy that signs people on in proxy.addresses, or in clientCaSecret the secret with the authority of their certificates." -}}
{{- end -}}
{{- range $proxies -}}
{{- if regexMatch "/0+$" . -}}
{{- fail (printf "console.signOn.proxy.addresses has %s, which is everybody: name the networks that the proxy's pods have." .) -}}
{{- end -}}
{{- end -}}
{{- if and $proxies (not $console.signOn.clientCaSecret) (not .Values.networkPolicies.enabled) -}}
{{- fail "console.signOn.proxy.addresses are networks, and networkPolicies.enabled is false: any pod there could say who it is; name in clientCaSecret the authority of the proxy's certificate too." -}}
{{- end -}}
{{- if and .Values.networkPolicies.enabled (not .Values.networkPolicies.consoleFrom) -}}
{{- fail "networkPolicies.consoleFrom is empty, so nobody would reach the console: name the peers, such as the namespace and pods of its proxy." -}}
{{- end -}}
{{- if and (eq .Values.certificates.from "secrets") (not $console.tlsSecret) -}}
{{- fail "console.tlsSecret is empty, and certificates.from is secrets: name the secret with tls.crt and tls.key that browsers trust." -}}
{{- end -}}
{{- if and .Values.edge.tlsSecret (not .Values.edge.hosts) -}}
{{- fail "edge.hosts is empty, and edge.tlsSecret is not: name first a host of that certificate, by which the console knows the edge." -}}
{{- end -}}
{{- end }}

{{/* A client of such a name would have the certificate of that process, or take its place. */}}
{{- define "comptoir.checks.clients" -}}
{{- range .Values.certificates.clients -}}
{{- if or (has . (list "edge" "edge-http" "router" "generator" "emitter" "usage" "console" "console-http" "keda-operator")) (hasPrefix "pool-" .) -}}
{{- fail (printf "certificates.clients has %s, which is a process of the chart: name people and tools otherwise." .) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "comptoir.checks.certificates" -}}
{{- $lasts := trimSuffix "h" .Values.certificates.duration | int -}}
{{- $before := trimSuffix "h" .Values.certificates.renewBefore | int -}}
{{- if ge $before $lasts -}}
{{- fail (printf "certificates.renewBefore is %s, and one is good for %s: it would be renewed without end, or refused; let renewBefore be a third of duration." .Values.certificates.renewBefore .Values.certificates.duration) -}}
{{- end -}}
{{- end }}

{{/* One pod has all ports of its process, and the metrics of every process have one number. */}}
{{- define "comptoir.checks.metrics" -}}
{{- $port := int .Values.metrics.port -}}
{{- range $process, $ports := dict "edge" (list 8443) "router" (list 8401 8411 8412 8444) "generator" (list 8402) "emitter" (list 8403) "usage" (list 8407) "console" (list 8414) -}}
{{- if has $port $ports -}}
{{- fail (printf "metrics.port is %d, on which %s takes its calls: choose another, such as 9464." $port $process) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "comptoir.checks.stores" -}}
{{- $router := .Values.router -}}
{{- if gt (int $router.replicas) 1 -}}
{{- if not (and $router.database.host $router.leaseStore.address) -}}
{{- fail (printf "router.replicas is %d: several routers share one PostgreSQL and one Redis or Valkey; set router.database.host and router.leaseStore.address, or router.replicas to 1." (int $router.replicas)) -}}
{{- end -}}
{{- end -}}
{{- if and $router.database.host (not $router.database.caSecret) -}}
{{- fail "router.database.caSecret is empty: name the secret whose key ca.crt signed the certificate of router.database.host." -}}
{{- end -}}
{{- if not (has (int $router.signingKeyNumber | toString) (include "comptoir.numbers" $router.trustedKeyNumbers | fromYamlArray)) -}}
{{- fail "router.trustedKeyNumbers lacks router.signingKeyNumber: generators would refuse every ticket; add it, and its ticket-N.pub to secrets.generator." -}}
{{- end -}}
{{- if not .Values.kafka.bootstrap -}}
{{- fail "kafka.bootstrap is empty: name the brokers as host:port with commas between." -}}
{{- end -}}
{{- include "comptoir.checks.kafka" .Values.kafka -}}
{{- if not .Values.clickhouse.url -}}
{{- fail "clickhouse.url is empty: name the store as https://host:8443." -}}
{{- end -}}
{{- end }}

{{- define "comptoir.checks.kafka" -}}
{{- $users := and .sasl.emitterUser .sasl.usageUser -}}
{{- if and .tlsSecret .caSecret -}}
{{- fail "kafka has both tlsSecret and caSecret: the first is mutual TLS and has a ca.crt of its own; leave the second out." -}}
{{- end -}}
{{- if not (or .tlsSecret (and .caSecret $users)) -}}
{{- fail "kafka says not who the clients are: set kafka.tlsSecret, or kafka.caSecret with kafka.sasl.emitterUser and kafka.sasl.usageUser." -}}
{{- end -}}
{{- if and (or .sasl.emitterUser .sasl.usageUser) (not $users) -}}
{{- fail "kafka.sasl has one user of two: set emitterUser and usageUser." -}}
{{- end -}}
{{- end }}

{{/* Whole numbers, which the values have as fractions, as texts that can be compared. */}}
{{- define "comptoir.numbers" -}}
{{- $numbers := list -}}
{{- range . }}{{ $numbers = append $numbers (int . | toString) }}{{ end -}}
{{ toYaml $numbers }}
{{- end }}

{{- define "comptoir.checks.emitters" -}}
{{- $most := int .Values.emitter.replicas -}}
{{- $chosen := dict "edge" .Values.edge.emitter "router" .Values.router.emitter -}}
{{- range $name, $_ := .Values.pools -}}
{{- $pool := include "comptoir.pool" (dict "root" $ "pool" $name) | fromYaml -}}
{{- $_ := set $chosen (printf "pools.%s" $name) $pool.emitter -}}
{{- end -}}
{{- range $who, $number := $chosen -}}
{{- if ge (int $number) $most -}}
{{- fail (printf "%s.emitter is %d, and there are %d: numbers begin with 0; raise emitter.replicas or choose another." $who (int $number) $most) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "comptoir.checks.pools" -}}
{{- $models := list -}}{{- range .Values.catalog.models }}{{- $models = append $models .name }}{{- end -}}
{{- $taken := dict -}}
{{- $scaled := dict -}}
{{- $served := dict -}}
{{- $servers := dict -}}
{{- range $name, $_ := .Values.pools -}}
{{- $pool := include "comptoir.pool" (dict "root" $ "pool" $name) | fromYaml -}}
{{- if not (has $pool.model $models) -}}
{{- fail (printf "pools.%s.model is not in catalog.models: it has %s." $name (join ", " $models)) -}}
{{- end -}}
{{- if not (or $pool.modelFiles.claim $pool.modelFiles.image (eq (toString $pool.settings.engine) "simulated")) -}}
{{- fail (printf "pools.%s.modelFiles has neither claim nor image: nothing is fetched at run time, so name a volume that holds the model." $name) -}}
{{- end -}}
{{- include "comptoir.checks.server" (dict "root" $ "name" $name "pool" $pool) -}}
{{- range include "comptoir.server.addresses" (dict "root" $ "pool" $pool) | fromYamlArray -}}
{{- if hasKey $servers . -}}
{{- fail (printf "pools.%s and pools.%s both have the server %s: a server is for one replica, and would show tenants of one pool what those of the other asked." (get $servers .) $name .) -}}
{{- end -}}
{{- $_ := set $servers . $name -}}
{{- end -}}
{{- if and $pool.modelFiles.claim $pool.modelFiles.image -}}
{{- fail (printf "pools.%s.modelFiles has both claim and image: leave one out." $name) -}}
{{- end -}}
{{- if gt (int $pool.replicas) (int $pool.maxReplicas) -}}
{{- fail (printf "pools.%s.replicas is %d, above its maxReplicas of %d: raise that, it says how many certificates there are." $name (int $pool.replicas) (int $pool.maxReplicas)) -}}
{{- end -}}
{{- if $pool.autoscaling.enabled -}}
{{- if gt (int $pool.autoscaling.minReplicas) (int $pool.maxReplicas) -}}
{{- fail (printf "pools.%s.autoscaling.minReplicas is %d, above its maxReplicas of %d." $name (int $pool.autoscaling.minReplicas) (int $pool.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey $served $pool.model) (or $pool.autoscaling.enabled (hasKey $scaled $pool.model)) -}}
{{- fail (printf "pools.%s and pools.%s both serve %s, and one is scaled: the router says how many replicas a model needs, not which pool; give both a fixed number, or the model one pool." (get $served $pool.model) $name $pool.model) -}}
{{- end -}}
{{- $_ := set $served $pool.model $name -}}
{{- if $pool.autoscaling.enabled }}{{ $_ := set $scaled $pool.model $name }}{{ end -}}
{{- range $step := until (int $pool.maxReplicas) -}}
{{- $number := toString (add (int $pool.firstReplica) $step) -}}
{{- if hasKey $taken $number -}}
{{- fail (printf "pools.%s and pools.%s both have replica number %s: numbers are unique in a region; move firstReplica, or lower maxReplicas." (get $taken $number) $name $number) -}}
{{- end -}}
{{- $_ := set $taken $number $name -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A policy without peers lets nothing through, and what it keeps in would fail at run time. */}}
{{- define "comptoir.checks.ways" -}}
{{- $policies := .Values.networkPolicies -}}
{{- $needed := dict "kafkaTo" "the brokers" "clickhouseTo" "the store" -}}
{{- if .Values.router.database.host }}{{ $_ := set $needed "databaseTo" "PostgreSQL" }}{{ end -}}
{{- if .Values.router.leaseStore.address }}{{ $_ := set $needed "leaseStoreTo" "the lease store" }}{{ end -}}
{{- if .Values.telemetry.otlpEndpoint }}{{ $_ := set $needed "telemetryTo" "the collector" }}{{ end -}}
{{- range $key, $what := $needed -}}
{{- if and $policies.enabled (not (get $policies $key)) -}}
{{- fail (printf "networkPolicies.%s is empty, so nobody would reach %s: name the peers, such as {ipBlock: {cidr: 10.0.8.0/24}}." $key $what) -}}
{{- end -}}
{{- end -}}
{{- range $name, $pool := .Values.pools -}}
{{- $elsewhere := and $pool.namespace (ne $pool.namespace $.Release.Namespace) -}}
{{- if and $elsewhere (eq $.Values.certificates.from "cert-manager") (ne $.Values.certificates.issuer.kind "ClusterIssuer") -}}
{{- fail (printf "pools.%s is in the namespace %s, where an Issuer of %s signs nothing: let certificates.issuer be a ClusterIssuer." $name $pool.namespace $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- end }}
