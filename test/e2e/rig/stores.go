package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// redis is Debian's, under the name that the dev overlay gives.
func redis() (container, error) {
	c := container{name: "docker.io/library/redis:7", files: map[string]string{}}
	return c, c.addPrograms("/usr/bin/redis-server", "/usr/bin/redis-cli")
}

// neo4jSettings are what the dev overlay says in the variables of Neo4j's own image.
const neo4jSettings = `server.default_listen_address=0.0.0.0
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled=false
dbms.usage_report.enabled=false
server.memory.pagecache.size=64m
`

// neo4j is made of the jars that the other tests run, and Debian's Java. Java is not its first process: that one cannot
// be frozen from inside.
func neo4j(ctx context.Context, work string) (container, error) {
	command := exec.CommandContext(ctx, "go", "run", "./stack/jars")
	command.Dir, command.Env, command.Stderr = "../..", append(os.Environ(), "GOWORK=off"), os.Stderr
	jars, err := command.Output()
	if err != nil {
		return container{}, fmt.Errorf("Neo4j's jars: %w", err)
	}
	java, err := exec.LookPath("java")
	if err == nil {
		java, err = filepath.EvalSymlinks(java)
	}
	if err != nil {
		return container{}, err
	}
	settings := filepath.Join(work, "neo4j.conf")
	if err := os.WriteFile(settings, []byte(neo4jSettings), 0o644); err != nil {
		return container{}, err
	}
	line := "trap 'kill $!' TERM; " + java + " -Xms256m -Xmx768m -XX:+UseSerialGC -Dlog4j2.disable.jmx=true"
	for _, p := range []string{"java.lang", "java.nio", "java.io", "java.util.concurrent", "sun.nio.ch"} {
		line += " --add-opens=java.base/" + p + "=ALL-UNNAMED"
	}
	line += " -cp '/jars/*' org.neo4j.server.CommunityEntryPoint --home-dir=/tmp --config-dir=/conf & wait"
	c := container{name: "docker.io/library/neo4j:5.26-community", files: map[string]string{"conf/neo4j.conf": settings},
		entrypoint: []string{"/bin/sh", "-c", line}}
	if err := c.addFolder(strings.TrimSpace(string(jars)), "jars"); err != nil {
		return c, err
	}
	home := filepath.Dir(filepath.Dir(java))
	if err := c.addFolder(home, home); err != nil {
		return c, err
	}
	libraries, _ := filepath.Glob(filepath.Join(home, "lib", "*.so"))
	return c, c.addPrograms(append(libraries, filepath.Join(home, "lib/server/libjvm.so"), java, "/bin/sh")...)
}

// addFolder adds all files below a folder; a link becomes what it leads to.
func (c container) addFolder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		info, err := os.Stat(source)
		switch {
		case err != nil: // a link to nowhere
		case info.IsDir():
			if err := c.addFolder(source, target); err != nil {
				return err
			}
		default:
			c.files[strings.TrimPrefix(target, "/")] = source
		}
	}
	return nil
}

// library is a line of ldd that names a file.
var library = regexp.MustCompile(`(/\S+) \(0x`)

// addPrograms adds programs and libraries, with the libraries that they need.
func (c container) addPrograms(paths ...string) error {
	for _, path := range paths {
		c.files[strings.TrimPrefix(path, "/")] = path
		needs, err := exec.Command("ldd", path).Output()
		if err != nil {
			return fmt.Errorf("ldd %s: %w", path, err)
		}
		for _, found := range library.FindAllStringSubmatch(string(needs), -1) {
			c.files[strings.TrimPrefix(found[1], "/")] = found[1]
		}
	}
	return nil
}
