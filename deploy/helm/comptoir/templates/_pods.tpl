{{/* What all pods have: Pod Security `restricted`, no token, nothing writable but named folders, one region.
     A process is a dict: root, process, image, module, object, secret, secretItems, settings, resources, replicas,
     graceSeconds, startSeconds, and what only some have: pool, tenant, env, mounts, volumes, and more. */}}

{{- define "comptoir.template" -}}
metadata:
  labels:
    {{- include "comptoir.podLabels" . | nindent 4 }}
  annotations:
    # A change of the settings replaces the pods; certificates and secrets are read again without.
    comptoir/settings: {{ include "comptoir.settings" . | sha256sum }}
    kubectl.kubernetes.io/default-container: {{ .process }}
spec:
  serviceAccountName: {{ include "comptoir.object" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .graceSeconds }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - key: {{ .root.Values.nodes.regionKey }}
                operator: In
                values: {{ .root.Values.nodes.regions | toJson }}
  {{- with .nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range .root.Values.nodes.spreadOver }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "comptoir.selector" $ | nindent 10 }}
    {{- end }}
  {{- with .beside }}
  # Restarted by itself, and ended after the containers below: what they drain still computes.
  initContainers:
    - {{ toYaml . | nindent 6 | trim }}
  {{- end }}
  containers:
    - {{ include "comptoir.container" . | nindent 6 | trim }}
  volumes:
    {{- include "comptoir.volumes" . | nindent 4 }}
{{- end }}

{{- define "comptoir.container" -}}
name: {{ .process }}
image: {{ include "comptoir.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [python, -m, {{ .module }}]
args: [--config, /etc/comptoir/settings/comptoir.yaml]
{{- with .env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range $name, $port := .ports }}
  - name: {{ $name }}
    containerPort: {{ $port }}
  {{- end }}
  {{- with int .root.Values.metrics.port }}
  - name: metrics
    containerPort: {{ . }}
  {{- end }}
{{- include "comptoir.probes" . }}
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  # Whole folders: a file that is mounted by subPath would never change.
  - {name: settings, mountPath: /etc/comptoir/settings, readOnly: true}
  - {name: tls, mountPath: /etc/comptoir/tls, readOnly: true}
  - {name: secrets, mountPath: /etc/comptoir/secrets, readOnly: true}
  - {name: scratch, mountPath: /tmp}
  {{- with .mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Unready is not dead: a process that is unready cures itself, or says what a person must mend. */}}
{{- define "comptoir.probes" -}}
{{- $start := max 1 (div (int .startSeconds) 10) }}
{{- if eq .process "edge" }}
startupProbe:
  httpGet: {path: /healthz, port: https, scheme: HTTPS}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ $start }}
livenessProbe:
  httpGet: {path: /healthz, port: https, scheme: HTTPS}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: https, scheme: HTTPS}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- else if int .root.Values.metrics.port }}
startupProbe:
  httpGet: {path: /healthz, port: metrics, scheme: HTTPS}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: {{ $start }}
livenessProbe:
  # Answered by the loop that serves, which is given 8 s.
  httpGet: {path: /healthz, port: metrics, scheme: HTTPS}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics, scheme: HTTPS}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 2
{{- else }}
{{- $ask := list "python" "-m" "services.runtime.health_check" "--config" "/etc/comptoir/settings/comptoir.yaml" "--section" .process }}
{{- if .isOverHttp }}{{ $ask = append $ask "--http" }}{{ end }}
{{- /* Where processors are scarce, to ask takes longer than to answer: a busy process is not a dead one. */}}
{{- $alive := concat $ask (list "--seconds" "20" "--is-alive") }}
startupProbe:
  exec:
    command: {{ $alive | toJson }}
  periodSeconds: 10
  timeoutSeconds: 30
  failureThreshold: {{ $start }}
livenessProbe:
  exec:
    command: {{ $alive | toJson }}
  periodSeconds: 30
  timeoutSeconds: 30
  failureThreshold: 3
readinessProbe:
  exec:
    command: {{ $ask | toJson }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 2
{{- end }}
{{- end }}

{{- define "comptoir.volumes" -}}
- name: settings
  configMap:
    name: {{ include "comptoir.object" . }}
- name: tls
  secret:
    secretName: {{ include "comptoir.object" . }}-tls
    defaultMode: 0440
- name: secrets
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .secretItems }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
- name: scratch
  emptyDir:
    sizeLimit: {{ default "64Mi" .scratch }}
{{- with .volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What stands around the pods of each process: its account, its settings, how many may be away at once. */}}
{{- define "comptoir.surroundings" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "comptoir.object" . }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "comptoir.object" . }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
data:
  comptoir.yaml: |
    {{- include "comptoir.settings" . | nindent 4 }}
{{- if not .isAlone }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "comptoir.object" . }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # One that is not ready serves nobody, and a node is not kept for it.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "comptoir.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* A service without an address of its own, by which each pod has a name; also those that are not ready: a
     replica registers, and a router is found, before the kubelet has looked. */}}
{{- define "comptoir.headless" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "comptoir.object" . }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "comptoir.selector" . | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - {name: {{ $name }}, port: {{ $port }}, targetPort: {{ $name }}}
    {{- end }}
{{- end }}

{{/* The pod of a StatefulSet knows its number by its index. */}}
{{- define "comptoir.indexed" -}}
- name: {{ . }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
{{- end }}

{{- define "comptoir.statefulSet" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "comptoir.object" . }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "comptoir.object" . }}
  {{- if not .isScaled }}
  replicas: {{ int .replicas }}
  {{- else }}
  {{- /* As many as there are: a number that an upgrade leaves out becomes 1 where the one before had it. */}}
  {{- with lookup "apps/v1" "StatefulSet" (default .root.Release.Namespace .namespace) (include "comptoir.object" .) }}
  replicas: {{ int .spec.replicas }}
  {{- end }}
  {{- end }}
  ordinals:
    start: {{ int .first }}
  # A start of all is not held up by one; an update goes on only once the pod before is ready.
  podManagementPolicy: Parallel
  updateStrategy:
    type: RollingUpdate
  minReadySeconds: {{ default 0 .minReadySeconds }}
  # What a volume holds is lost to nobody by a scale-down or an uninstall.
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: Retain
    whenScaled: Retain
  selector:
    matchLabels:
      {{- include "comptoir.selector" . | nindent 6 }}
  template:
    {{- include "comptoir.template" . | nindent 4 }}
  {{- with .claim }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ .size }}
  {{- end }}
{{- end }}
