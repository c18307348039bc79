package up

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/serve"
)

// gated is the embedded graph behind a proxy. It has no address that a proxy could stand before, so every call first
// crosses the proxy to a gate and back, and is as slow, silent or dead as that crossing.
type gated struct {
	graph.Store
	gate string
}

func (f *faults) gated(store graph.Store) (graph.Store, error) {
	var err error
	if f.gate, err = serve.Listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	go turnRound(f.gate)
	address, err := f.between("graph", f.gate.Addr().String())
	return &gated{Store: store, gate: address}, err
}

// turnRound sends back what comes to the gate.
func turnRound(gate net.Listener) {
	for {
		connection, err := gate.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			_, _ = io.Copy(connection, connection)
		}()
	}
}

func (g *gated) cross(ctx context.Context) error {
	var d net.Dialer
	connection, err := d.DialContext(ctx, "tcp", g.gate)
	if err != nil {
		return err
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { connection.Close() })()
	if _, err = connection.Write([]byte{1}); err == nil {
		_, err = io.ReadFull(connection, make([]byte, 1))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// through makes a call once it has crossed.
func through[T any](ctx context.Context, g *gated, call func() (T, error)) (T, error) {
	if err := g.cross(ctx); err != nil {
		var none T
		return none, err
	}
	return call()
}

func (g *gated) Write(ctx context.Context, writes []graph.Write) ([]graph.Written, error) {
	return through(ctx, g, func() ([]graph.Written, error) { return g.Store.Write(ctx, writes) })
}

func (g *gated) Recall(ctx context.Context, q graph.Query) ([]graph.Item, error) {
	return through(ctx, g, func() ([]graph.Item, error) { return g.Store.Recall(ctx, q) })
}

func (g *gated) Session(ctx context.Context, user, sessionID string, limit int) ([]graph.Turn, error) {
	return through(ctx, g, func() ([]graph.Turn, error) { return g.Store.Session(ctx, user, sessionID, limit) })
}

func (g *gated) Facts(ctx context.Context, user string) ([]graph.Fact, error) {
	return through(ctx, g, func() ([]graph.Fact, error) { return g.Store.Facts(ctx, user) })
}

func (g *gated) Forget(ctx context.Context, user string, at time.Time) (int, error) {
	return through(ctx, g, func() (int, error) { return g.Store.Forget(ctx, user, at) })
}

func (g *gated) Ping(ctx context.Context) error { return g.cross(ctx) }
