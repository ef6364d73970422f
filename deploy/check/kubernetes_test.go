package check

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the objects that kustomize makes of a folder.
type manifests struct {
	deployments     []apps.Deployment
	budgets         []policy.PodDisruptionBudget
	services        []core.Service
	ingresses       []networking.Ingress
	networkPolicies []networking.NetworkPolicy
	podMonitors     []monitoring.PodMonitor
	configMaps      []core.ConfigMap
	serviceAccounts []core.ServiceAccount
	namespaces      []core.Namespace
}

// buildManifests runs kustomize, and decodes every object strictly: a field that
// its type does not have is an error.
func buildManifests(t *testing.T, folder string) (m manifests) {
	t.Helper()
	path := filepath.Join(root, "deploy/kubernetes", folder)
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", folder, err)
	}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err == nil {
			err = m.add(r.GetApiVersion()+" "+r.GetKind(), text)
		}
		if err != nil {
			t.Errorf("%s: %s %s: %v", folder, r.GetKind(), r.GetName(), err)
		}
	}
	return m
}

func (m *manifests) add(kind string, text []byte) error {
	switch kind {
	case "apps/v1 Deployment":
		return decode(text, &m.deployments)
	case "policy/v1 PodDisruptionBudget":
		return decode(text, &m.budgets)
	case "v1 Service":
		return decode(text, &m.services)
	case "networking.k8s.io/v1 Ingress":
		return decode(text, &m.ingresses)
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(text, &m.networkPolicies)
	case "monitoring.coreos.com/v1 PodMonitor":
		return decode(text, &m.podMonitors)
	case "v1 ConfigMap":
		return decode(text, &m.configMaps)
	case "v1 ServiceAccount":
		return decode(text, &m.serviceAccounts)
	case "v1 Namespace":
		return decode(text, &m.namespaces)
	}
	return fmt.Errorf("%s is a kind that this test does not know", kind)
}

func decode[T any](text []byte, to *[]T) error {
	inJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	var object T
	strict, err := json.UnmarshalStrict(inJSON, &object) // which minds the case of names, as Kubernetes does
	*to = append(*to, object)
	return errors.Join(append(strict, err)...)
}

// gates returns the one deployment, and its one container.
func (m *manifests) gates(t *testing.T) (apps.Deployment, core.Container) {
	t.Helper()
	if len(m.deployments) != 1 || len(m.deployments[0].Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("there are %d deployments, want one with one container", len(m.deployments))
	}
	return m.deployments[0], m.deployments[0].Spec.Template.Spec.Containers[0]
}

// eachBuild runs a test on the base and on the example overlay.
func eachBuild(t *testing.T, test func(*testing.T, manifests)) {
	t.Helper()
	for _, folder := range []string{"base", "overlays/example"} {
		t.Run(folder, func(t *testing.T) { test(t, buildManifests(t, folder)) })
	}
}

func TestKubernetesObjectsAreAllThere(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		got := []int{
			len(m.deployments), len(m.budgets), len(m.services), len(m.ingresses), len(m.networkPolicies),
			len(m.podMonitors), len(m.serviceAccounts),
		}
		if want := []int{1, 1, 2, 1, 1, 1, 1}; !slices.Equal(got, want) {
			t.Errorf("there are %v objects, want %v", got, want)
		}
	})
}

// Selectors select the gates, and ports that are named exist.
func TestKubernetesObjectsFindEachOther(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		deployment, gate := m.gates(t)
		pod := deployment.Spec.Template
		selects := func(what string, labels map[string]string) {
			t.Helper()
			if len(labels) == 0 {
				t.Errorf("%s selects everything", what)
			}
			for name, value := range labels {
				if pod.Labels[name] != value {
					t.Errorf("%s selects %s=%s, but the gates have %q", what, name, value, pod.Labels[name])
				}
			}
		}
		port := func(what, name string) {
			t.Helper()
			if !slices.ContainsFunc(gate.Ports, func(p core.ContainerPort) bool { return p.Name == name }) {
				t.Errorf("%s names the port %q, which the gates do not have", what, name)
			}
		}

		selects("the deployment", deployment.Spec.Selector.MatchLabels)
		for _, spread := range pod.Spec.TopologySpreadConstraints {
			selects("the spread by "+spread.TopologyKey, spread.LabelSelector.MatchLabels)
		}
		selects("the disruption budget", m.budgets[0].Spec.Selector.MatchLabels)
		selects("the network policy", m.networkPolicies[0].Spec.PodSelector.MatchLabels)
		for _, rule := range m.networkPolicies[0].Spec.Ingress {
			for _, p := range rule.Ports {
				port("the network policy", p.Port.StrVal)
			}
			if len(rule.From) == 0 || len(rule.Ports) == 0 {
				t.Error("the network policy lets everybody in, or to every port")
			}
		}
		selects("the pod monitor", m.podMonitors[0].Spec.Selector.MatchLabels)
		for _, endpoint := range m.podMonitors[0].Spec.PodMetricsEndpoints {
			port("the pod monitor", *endpoint.Port)
		}
		for _, service := range m.services {
			selects("service "+service.Name, service.Spec.Selector)
			for _, p := range service.Spec.Ports {
				port("service "+service.Name, p.TargetPort.StrVal)
			}
		}
		port("the readiness probe", gate.ReadinessProbe.HTTPGet.Port.StrVal)
		port("the liveness probe", gate.LivenessProbe.HTTPGet.Port.StrVal)
		if account := pod.Spec.ServiceAccountName; account != m.serviceAccounts[0].Name {
			t.Errorf("the gates run as %q, which is not there", account)
		}
	})
}

// Only what PortOne calls, and what pages ask, is for the internet, over TLS.
func TestKubernetesIngressLetsInConfirmsWebhooksAndLooks(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		ingress := m.ingresses[0].Spec
		var paths []string
		for _, rule := range ingress.Rules {
			if rule.Host == "" || !slices.Contains(ingress.TLS[0].Hosts, rule.Host) {
				t.Errorf("%q is not served by TLS", rule.Host)
			}
			for _, path := range rule.HTTP.Paths {
				paths = append(paths, path.Path)
				backend := path.Backend.Service
				public := func(p core.ServicePort) bool {
					return p.Name == backend.Port.Name &&
						p.TargetPort.StrVal == "public"
				}
				if !slices.ContainsFunc(m.services, func(s core.Service) bool {
					return s.Name == backend.Name && slices.ContainsFunc(s.Spec.Ports, public)
				}) {
					t.Errorf("%s leads to %s, port %q, which is no service of the public listener", path.Path,
						backend.Name, backend.Port.Name)
				}
			}
		}
		if want := []string{"/confirm/", "/webhook", "/sales/"}; !slices.Equal(paths, want) {
			t.Errorf("it lets in %q, want %q", paths, want)
		}
	})
}

// Config maps are made by the overlay; of the secrets, which no file here may
// have, the overlay says how to make them, each key that is needed.
func TestKubernetesSecretsAndConfigMapsAreThereOrToldOf(t *testing.T) {
	t.Parallel()
	const folder = "overlays/example"
	m := buildManifests(t, folder)
	deployment, gate := m.gates(t)
	told, err := os.ReadFile(filepath.Join(root, "deploy/kubernetes", folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	secret := func(name, key string) {
		t.Helper()
		if !strings.Contains(string(told), "create secret generic "+name+" ") ||
			!strings.Contains(string(told), "--from-literal="+key+"=") {
			t.Errorf("nobody makes the key %s of the secret %s", key, name)
		}
	}

	for _, variable := range gate.Env {
		if from := variable.ValueFrom; from != nil &&
			(from.SecretKeyRef.Optional == nil || !*from.SecretKeyRef.Optional) {
			secret(from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		} else if from == nil && strings.Contains(variable.Name, "SECRET") {
			t.Errorf("%s stands in the file", variable.Name)
		}
	}
	for _, endpoint := range m.podMonitors[0].Spec.PodMetricsEndpoints {
		credentials := endpoint.Authorization.Credentials
		secret(credentials.Name, credentials.Key)
	}
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		if !slices.ContainsFunc(m.configMaps, func(c core.ConfigMap) bool { return c.Name == volume.ConfigMap.Name }) {
			t.Errorf("there is no config map %s", volume.ConfigMap.Name)
		}
		if !slices.ContainsFunc(gate.VolumeMounts, func(v core.VolumeMount) bool { return v.Name == volume.Name }) {
			t.Errorf("the volume %s is not mounted", volume.Name)
		}
	}
	for _, object := range m.configMaps {
		if object.Namespace != m.namespaces[0].Name {
			t.Errorf("config map %s is in the namespace %q", object.Name, object.Namespace)
		}
	}
}

// What the namespace's policy "restricted" asks for, and a file system that
// cannot be written.
func TestKubernetesGatesMayDoNothingButServe(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		deployment, gate := m.gates(t)
		pod, container := deployment.Spec.Template.Spec, gate.SecurityContext
		spread := pod.TopologySpreadConstraints[0]
		for what, ok := range map[string]bool{
			"non-root": given(t, pod.SecurityContext.RunAsNonRoot) &&
				given(t, pod.SecurityContext.RunAsUser) == 65532,
			"seccomp":          pod.SecurityContext.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault,
			"no escalation":    !given(t, container.AllowPrivilegeEscalation),
			"a read-only root": given(t, container.ReadOnlyRootFilesystem),
			"no capabilities":  slices.Equal(container.Capabilities.Drop, []core.Capability{"ALL"}),
			"no token": !given(t, pod.AutomountServiceAccountToken) &&
				!given(t, m.serviceAccounts[0].AutomountServiceAccountToken),
			"bounded memory":    !gate.Resources.Limits.Memory().IsZero(),
			"no limit of cores": gate.Resources.Limits.Cpu().IsZero(),
			"requests": !gate.Resources.Requests.Cpu().IsZero() &&
				!gate.Resources.Requests.Memory().IsZero(),
			"a fixed number":      given(t, deployment.Spec.Replicas) >= 3,
			"a budget below that": m.budgets[0].Spec.MaxUnavailable.IntVal == 1,
			"a node each": spread.WhenUnsatisfiable == core.DoNotSchedule &&
				given(t, spread.MinDomains) == given(t, deployment.Spec.Replicas) && spread.MaxSkew == 1,
			"a new one comes first": deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntVal == 0,
		} {
			if !ok {
				t.Errorf("the gates do not have %s", what)
			}
		}
	})
}

// given returns a field that must not be left out.
func given[T any](t *testing.T, field *T) T {
	t.Helper()
	if field == nil {
		t.Fatalf("a %v is left out", reflect.TypeFor[T]())
	}
	return *field
}

// A gate answers for --drain-wait, then what is under way, which takes 4 s at
// most, and then closes the admin listener within another.
func TestKubernetesLetsAGateDrain(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		deployment, gate := m.gates(t)
		drain := flag(t, gate.Args, "--drain-wait")
		wait, err := time.ParseDuration(drain)
		if err != nil {
			t.Fatal(err)
		}
		grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
		if grace < wait+5*time.Second {
			t.Errorf("a gate is killed after %s, within its --drain-wait %s and the last answers", grace, drain)
		}
		probe := gate.ReadinessProbe
		if noticed := time.Duration(probe.PeriodSeconds*probe.FailureThreshold) * time.Second; noticed >= wait {
			t.Errorf("it takes %s until a gate counts as not ready, longer than its --drain-wait %s", noticed, drain)
		}
	})
}

func flag(t *testing.T, args []string, name string) string {
	t.Helper()
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return value
		}
	}
	t.Fatalf("%s is not given in %q", name, args)
	return ""
}

// The program takes the container's command line and variables: it ends because
// it cannot reach Redis (1), not because they are wrong (2).
func TestKubernetesStartsGatesAsTheyWantIt(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		_, gate := m.gates(t)
		secrets := map[string]string{
			"redis":       "redis+sentinel://flashgate:x@127.0.0.1:1,127.0.0.1:2/flashgate",
			"signing-key": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
			"admin-token": "operator:0123456789abcdef-operator", "admin-read-token": "0123456789abcdef-reader",
			"portone-v1-key": "key", "portone-v1-secret": "secret", "portone-v2-secret": "secret",
			"portone-v2-store": "store-1",
			"webhook-secret":   "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODk=",
			"notify-secret":    "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODk=",
		}
		cmd := exec.Command("flashgate", gate.Args...)
		cmd.Env = os.Environ()
		for _, v := range gate.Env {
			value := v.Value
			if v.ValueFrom != nil {
				value = secrets[v.ValueFrom.SecretKeyRef.Key]
			}
			if !takesVariable(t, v.Name) || value == "" {
				t.Errorf("the variable %s is nothing to a gate, or has no value", v.Name)
			}
			cmd.Env = append(cmd.Env, v.Name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "flashgate: --redis: ") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// Commands in a gate's pod wait for replicas as the gate does: they have its
// variables, and not its arguments.
func TestKubernetesCommandsInAPodWaitForReplicas(t *testing.T) {
	t.Parallel()
	help, err := exec.Command("flashgate", "apply", "--help").Output()
	if err != nil || !strings.Contains(string(help), "($FLASHGATE_WAIT_REPLICAS)") {
		t.Fatalf("apply does not take it: %v", err)
	}
	eachBuild(t, func(t *testing.T, m manifests) {
		_, gate := m.gates(t)
		if !slices.ContainsFunc(gate.Env,
			func(v core.EnvVar) bool { return v.Name == "FLASHGATE_WAIT_REPLICAS" && v.Value == "1" }) {
			t.Error("the pod has no FLASHGATE_WAIT_REPLICAS")
		}
		if strings.Contains(strings.Join(gate.Args, " "), "--wait-") {
			t.Errorf("the arguments %q tell what no command in the pod knows", gate.Args)
		}
	})
}

// takesVariable reports whether serve, or Go itself, reads a variable.
func takesVariable(t *testing.T, name string) bool {
	t.Helper()
	help, err := exec.Command("flashgate", "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	return name == "GOMEMLIMIT" || regexp.MustCompile(`\b`+name+`\b`).Match(help)
}

// The ports of the container are those that a gate listens on, its sales file is
// where it is mounted, and a gate creates the sales in it.
func TestKubernetesGatesFindTheirSales(t *testing.T) {
	t.Parallel()
	m := buildManifests(t, "overlays/example")
	_, gate := m.gates(t)
	mounted := gate.VolumeMounts[0].MountPath
	name, ok := strings.CutPrefix(flag(t, gate.Args, "--sales"), mounted+"/")
	text := m.configMaps[0].Data[name]
	if !ok || text == "" {
		t.Fatalf("--sales is not a file of the config map that is mounted at %s", mounted)
	}
	for _, port := range gate.Ports {
		want := map[string]int32{"public": 8080, "admin": 9090}[port.Name]
		if port.ContainerPort != want {
			t.Errorf("the port %s is %d, want %d", port.Name, port.ContainerPort, want)
		}
	}
	if !strings.HasSuffix(flag(t, gate.Args, "--admin-listen"), ":9090") {
		t.Error("--admin-listen is not the port admin")
	}

	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := freeAddress(t)
	startProgram(t, exec.Command("flashgate", "serve", "--listen", "127.0.0.1:0", "--admin-listen", admin, "--redis",
		"embedded", "--sales", file))
	awaitHealth(t, "http://"+admin+"/v1/sales/seoul-marathon")
}

func TestKubernetesIsTakenByKubectl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not installed")
	}
	for _, folder := range []string{"base", "overlays/example"} {
		if out, err := exec.Command("kubectl", "kustomize",
			filepath.Join(root, "deploy/kubernetes", folder)).CombinedOutput(); err != nil {
			t.Errorf("kubectl kustomize %s: %v\n%s", folder, err, out)
		}
	}
}
