{{/* Names, labels and addresses. Templates of one process get a dict with `root` and `process`. */}}

{{- define "comptoir.name" -}}
{{- if contains "comptoir" .Release.Name }}{{ .Release.Name | trunc 30 | trimSuffix "-" }}
{{- else }}{{ printf "%s-comptoir" (.Release.Name | trunc 21 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* What selects the pods of a process; a pool adds its name. */}}
{{- define "comptoir.selector" -}}
app.kubernetes.io/name: comptoir
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .process }}
{{- with .pool }}
comptoir/pool: {{ . }}
{{- end }}
{{- end }}

{{- define "comptoir.labels" -}}
{{ include "comptoir.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Without versions: a newer chart replaces no pod that it does not change. */}}
{{- define "comptoir.podLabels" -}}
{{ include "comptoir.selector" . }}
comptoir/region: {{ .root.Values.region }}
{{- with .tenant }}
comptoir/tenant: {{ . }}
{{- end }}
{{- end }}

{{/* comptoir-edge, or comptoir-pool-small. */}}
{{- define "comptoir.object" -}}
{{- $name := include "comptoir.name" .root -}}
{{- if .pool }}{{ printf "%s-pool-%s" $name .pool }}{{ else }}{{ printf "%s-%s" $name .process }}{{ end }}
{{- end }}

{{/* The name of one pod of a StatefulSet behind its service: needs `number`. */}}
{{- define "comptoir.pod" -}}
{{- $object := include "comptoir.object" . -}}
{{ printf "%s-%d.%s.%s.svc.%s" $object (int .number) $object (default .root.Release.Namespace .namespace) .root.Values.clusterDomain }}
{{- end }}

{{- define "comptoir.service" -}}
{{ printf "%s.%s.svc.%s" (include "comptoir.object" .) (default .root.Release.Namespace .namespace) .root.Values.clusterDomain }}
{{- end }}

{{- define "comptoir.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .image -}}
{{- if $digest }}{{ printf "%s/comptoir-%s@%s" $image.registry .image $digest }}
{{- else }}{{ printf "%s/comptoir-%s:%s" $image.registry .image (default .root.Chart.AppVersion $image.tag) }}{{ end }}
{{- end }}

{{/* A pool with what all pools have: a dict as YAML, of `root` and `pool`. */}}
{{- define "comptoir.pool" -}}
{{- $pool := mergeOverwrite (deepCopy .root.Values.pool) (deepCopy (get .root.Values.pools .pool)) -}}
{{- $_ := set $pool "namespace" (default .root.Release.Namespace $pool.namespace) -}}
{{ toYaml $pool }}
{{- end }}

{{/* The region as certificates name it, and what a host's name has behind it to prove it. */}}
{{- define "comptoir.region" -}}
{{ printf "spiffe://%s/region/%s" .Values.certificates.trustDomain .Values.region }}
{{- end }}

{{- define "comptoir.inRegion" -}}
{{ printf "%s.%s.%s" .host .root.Values.region .root.Values.certificates.trustDomain }}
{{- end }}
