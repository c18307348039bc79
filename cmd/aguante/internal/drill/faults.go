package drill

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// Proxies by the name of the dependency behind them. memory stands for the graph: Neo4j, or the embedded one.
const (
	redis       = "redis"
	broker      = "broker"
	materialize = "materialize"
	memory      = "memory"
	neo4j       = "neo4j"
	embedded    = "graph"
)

// door is Toxiproxy's API.
type door struct {
	address string
	client  *toxiproxy.Client
}

func newDoor(address string) door { return door{address, toxiproxy.NewClient(address)} }

// ready wants the door to be there and, unless forced, nothing in place behind it.
func (d door) ready(force bool) error {
	proxies, err := d.client.Proxies()
	if err != nil {
		return fmt.Errorf("nowhere to inject faults: start the system with `aguante up --faults %s` (%w)", strings.TrimPrefix(d.address, "http://"), err)
	}
	for name, p := range proxies {
		if (!p.Enabled || len(p.ActiveToxics) > 0) && !force {
			return fmt.Errorf("a fault is in place already at %s: undo all by `curl -X POST %s/reset`, or --force", name, d.address)
		}
	}
	return nil
}

// graph is what the graph's proxy and breakers are called in this system.
func (d door) graph() string {
	if _, err := d.client.Proxy(neo4j); err == nil {
		return neo4j
	}
	return embedded
}

// injected are the faults in place, and how to undo each.
type injected struct {
	mu    sync.Mutex
	undos []func() error
}

// down cuts a dependency's connections and refuses new ones.
func (i *injected) down(d door, name string) error {
	p, err := d.client.Proxy(name)
	if err != nil {
		return err
	}
	if err := p.Disable(); err != nil {
		return err
	}
	i.add(p.Enable)
	return nil
}

// hung lets requests into a dependency's proxy, and nothing out on the other side.
func (i *injected) hung(d door, name string) error {
	return i.toxic(d, name, "timeout", "upstream", toxiproxy.Attributes{"timeout": 0})
}

// slow has every answer of a dependency come so many milliseconds late.
func (i *injected) slow(d door, name string, milliseconds int) error {
	return i.toxic(d, name, "latency", "downstream", toxiproxy.Attributes{"latency": milliseconds})
}

func (i *injected) toxic(d door, name, kind, stream string, attributes toxiproxy.Attributes) error {
	p, err := d.client.Proxy(name)
	if err != nil {
		return err
	}
	const toxic = "drill"
	if _, err = p.AddToxic(toxic, kind, stream, 1, attributes); err != nil {
		return err
	}
	i.add(func() error { return p.RemoveToxic(toxic) })
	return nil
}

func (i *injected) add(undo func() error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.undos = append(i.undos, undo)
}

// undo takes all faults away, last first. Undone twice is undone once.
func (i *injected) undo() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var faults []error
	for n := len(i.undos) - 1; n >= 0; n-- {
		faults = append(faults, i.undos[n]())
	}
	i.undos = nil
	return errors.Join(faults...)
}
