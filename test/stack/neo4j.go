package stack

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
)

// neo4jVersion is the version in neo4j/pom.xml.
const neo4jVersion = "5.26.30"

//go:embed neo4j/pom.xml
var neo4jPOM []byte

// opens is what Neo4j's own start script opens of the JDK's modules.
var opens = []string{"java.lang", "java.nio", "java.io", "java.util.concurrent", "sun.nio.ch"}

// StartNeo4j runs a Neo4j Community server without authentication.
func StartNeo4j(ctx context.Context) (*Server, error) {
	lib, err := Neo4jJars(ctx)
	if err != nil {
		return nil, err
	}
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "aguante-neo4j-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "neo4j.conf"), neo4jConfig(address), 0o600); err != nil {
		return nil, err
	}
	s := &Server{Name: "Neo4j", Address: address, URL: "bolt://" + address, dir: dir}
	s.command = exec.Command("java", neo4jArguments(lib, dir)...)
	if s, err = start(ctx, s, func(ctx context.Context) error { return serves(ctx, address) }); err != nil {
		return nil, err
	}
	return s, warm(ctx, s.URL)
}

// Empty removes what a killed Neo4j has on disk, as a pod without a volume loses it. Restart then waits for its handshake
// alone: to ask it for more would make what it lacks.
func (s *Server) Empty() error {
	s.ready = func(ctx context.Context) error { return greetBolt(ctx, s.Address) }
	return os.RemoveAll(filepath.Join(s.dir, "data"))
}

// warm makes the schema and writes once: a cold server takes longer for its first call than any test should wait.
func warm(ctx context.Context, uri string) error {
	store, err := neo4j.Open(ctx, neo4j.Config{URI: uri})
	if err != nil {
		return err
	}
	defer store.Close()
	now := time.Now()
	first := graph.Turn{ID: "1", SessionID: "warm-up", User: "warm-up", Messages: []graph.Message{{Role: "user", Content: "warm-up", At: now}}}
	for {
		_, err := store.Write(ctx, []graph.Write{{Turn: first, SentAt: now}})
		if err == nil {
			_, err = store.Forget(ctx, first.User, now)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func neo4jConfig(address string) []byte {
	return fmt.Appendf(nil, `server.default_listen_address=127.0.0.1
server.bolt.listen_address=%s
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled=false
dbms.usage_report.enabled=false
server.memory.pagecache.size=64m
`, address)
}

func neo4jArguments(lib, home string) []string {
	arguments := []string{"-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-Dlog4j2.disable.jmx=true"}
	for _, p := range opens {
		arguments = append(arguments, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	return append(arguments, "-cp", filepath.Join(lib, "*"), "org.neo4j.server.CommunityEntryPoint",
		"--home-dir="+home, "--config-dir="+home)
}

// Neo4jJars is the folder of Neo4j's jars, fetched once into the user's cache.
func Neo4jJars(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	lib := filepath.Join(cache, "aguante", "neo4j-"+neo4jVersion)
	if err := install(ctx, "java", "default-jre-headless"); err != nil {
		return "", err
	}
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	if err := install(ctx, "mvn", "maven"); err != nil {
		return "", err
	}
	return lib, fetchJars(ctx, lib)
}

// fetchJars copies the jars beside their place and renames the folder, so that a half-fetched one is never used.
func fetchJars(ctx context.Context, lib string) error {
	if err := os.MkdirAll(filepath.Dir(lib), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(lib), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), neo4jPOM, 0o600); err != nil {
		return err
	}
	fetch := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies",
		"-DoutputDirectory=lib", "-DincludeScope=runtime")
	fetch.Dir = work
	if output, err := fetch.CombinedOutput(); err != nil {
		return fmt.Errorf("stack: fetch Neo4j %s with Maven: %w: %s", neo4jVersion, err, output)
	}
	if err := os.Rename(filepath.Join(work, "lib"), lib); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// serves asks for an answer: a Neo4j that has just been started shakes hands before it has opened its database.
func serves(ctx context.Context, address string) error {
	if err := greetBolt(ctx, address); err != nil {
		return err
	}
	store, err := neo4j.Open(ctx, neo4j.Config{URI: "bolt://" + address})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return store.Ping(ctx)
}

// greetBolt makes Bolt's handshake.
func greetBolt(ctx context.Context, address string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	hello := []byte{0x60, 0x60, 0xb0, 0x17, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if _, err := c.Write(hello); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 4))
	return err
}
