package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The network is of the range for benchmarks (RFC 2544), which nobody routes: .0.1 this machine, .0.2 the node, .1.0/24
// its pods, 198.19.0.0/16 the cluster's services.
const (
	network     = "198.18.0.0/15"
	hostAddress = "198.18.0.1"
	nodeAddress = "198.18.0.2"
	registry    = nodeAddress + ":5000"
)

//go:embed settings
var settings embed.FS

// node is the first process of the node's namespaces: when it ends the kernel ends all the others, unmounts what they
// mounted and takes their network down. It starts Kubernetes' processes and collects the orphans.
func node() error {
	if os.Getpid() != 1 {
		return errors.New("node is what up starts")
	}
	if err := secluded(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := joinNetwork(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := writeSettings(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	s := &services{names: map[int]string{}, ended: make(chan error, 1)}
	go s.startAll(programs(os.Getenv("RIG_BINARIES")))
	return <-s.ended
}

// secluded gives the node mounts of its own: whatever it writes is below the run folder, as its /var, or in memory.
func secluded() error {
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED}, // among its own processes
		{folder, "/var", "", syscall.MS_BIND},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0},
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return errors.Join(syscall.Sethostname([]byte("node")), os.Symlink("/run", "/var/run"))
}

// joinNetwork waits for the end of the cable that up lays, and takes its address.
func joinNetwork() error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := net.InterfaceByName("eth0"); err == nil {
			break
		} else if time.Now().After(deadline) {
			return err
		}
	}
	for _, arguments := range []string{
		"link set lo up", "addr add " + nodeAddress + "/30 dev eth0", "link set eth0 up", "route add default via " + hostAddress,
	} {
		if err := ip(arguments); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}

func ip(arguments string) error {
	if output, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", arguments, err, output)
	}
	return nil
}

// writeSettings copies the settings to where the programs read them, with new credentials.
func writeSettings() error {
	err := fs.WalkDir(settings, ".", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join("/var", path)
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(target, 0o755))
		}
		content, err := settings.ReadFile(path)
		return errors.Join(err, os.WriteFile(target, content, 0o600))
	})
	for _, dir := range []string{"/var/settings/pki", "/var/log", "/var/lib", "/var/tmp"} {
		err = errors.Join(err, os.MkdirAll(dir, 0o755))
	}
	return errors.Join(err, writeCredentials("/var/settings/pki", "/var/kubeconfig"))
}

// services are the node's programs by process id.
type services struct {
	mu    sync.Mutex
	names map[int]string
	ended chan error
}

// startAll starts programs one after the other, each when those that it needs listen.
func (s *services) startAll(programs []service) {
	for n, p := range programs {
		for _, address := range p.needs {
			await(address)
		}
		if err := s.start(p.line); err != nil {
			s.ended <- err
		}
		if n == 0 {
			go s.reap()
		}
	}
}

// await waits until somebody listens on an address; who waits in vain is ended by up.
func await(address string) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	for {
		if c, err := net.Dial(network, address); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// start starts a program with its log in /var/log.
func (s *services) start(arguments []string) error {
	name := filepath.Base(arguments[0])
	if name == "kubernetes" {
		name = arguments[1]
	}
	log, err := os.Create("/var/log/" + name + ".log")
	if err != nil {
		return err
	}
	defer log.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	process, err := os.StartProcess(arguments[0], arguments, &os.ProcAttr{Dir: "/var", Env: os.Environ(), Files: []*os.File{nil, log, log}})
	if err != nil {
		return fmt.Errorf("node: start %s: %w", name, err)
	}
	s.names[process.Pid] = name
	return nil
}

// reap collects ended processes. The first of the node's programs to end ends the node.
func (s *services) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		} else if err != nil {
			s.ended <- fmt.Errorf("node: wait: %w", err)
			return
		}
		s.mu.Lock()
		name, mine := s.names[pid]
		s.mu.Unlock()
		if mine {
			s.ended <- fmt.Errorf("node: %s ended (exit code %d, signal %d): the last it said: %s", name, status.ExitStatus(), status.Signal(), lastLine("/var/log/"+name+".log"))
			return
		}
	}
}

func lastLine(file string) string {
	content, _ := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

// service is a program of the node, and the addresses that must be listened on before it starts.
type service struct {
	line  []string
	needs []string
}

// programs are what the node runs, in the order of their start.
func programs(binaries string) []service {
	kubernetes, pki := filepath.Join(binaries, "kubernetes"), "/var/settings/pki/"
	etcd, runtime, api := "127.0.0.1:2379", "/run/containerd/containerd.sock", nodeAddress+":6443"
	return []service{
		{line: []string{kubernetes, "etcd", "--data-dir=/var/etcd", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn"}},
		{line: []string{"/usr/bin/containerd", "--config=/var/settings/containerd.toml"}},
		{needs: []string{etcd}, line: []string{kubernetes, "kube-apiserver", "--etcd-servers=http://" + etcd, "--authorization-mode=RBAC",
			"--advertise-address=" + nodeAddress, "--service-cluster-ip-range=198.19.0.0/16",
			"--client-ca-file=" + pki + "ca.crt", "--tls-cert-file=" + pki + "server.crt", "--tls-private-key-file=" + pki + "server.key",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + pki + "server.key",
			"--service-account-signing-key-file=" + pki + "server.key",
			"--kubelet-client-certificate=" + pki + "admin.crt", "--kubelet-client-key=" + pki + "admin.key",
			"--kubelet-preferred-address-types=InternalIP", "--allow-privileged", "--profiling=false"}},
		{needs: []string{api}, line: []string{kubernetes, "kube-controller-manager", "--kubeconfig=/var/kubeconfig", "--leader-elect=false",
			"--root-ca-file=" + pki + "ca.crt", "--service-account-private-key-file=" + pki + "server.key", "--use-service-account-credentials"}},
		{line: []string{kubernetes, "kube-scheduler", "--kubeconfig=/var/kubeconfig", "--leader-elect=false"}},
		{needs: []string{runtime}, line: []string{kubernetes, "kubelet", "--kubeconfig=/var/kubeconfig", "--config=/var/settings/kubelet.yaml",
			"--hostname-override=node", "--node-ip=" + nodeAddress}},
		{line: []string{kubernetes, "kube-proxy", "--config=/var/settings/kube-proxy.yaml", "--hostname-override=node"}},
		{line: []string{filepath.Join(binaries, "edge")}},
	}
}
