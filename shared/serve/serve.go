package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aguante-chat/aguante/shared/telemetry"
	"golang.org/x/sync/errgroup"
)

// Function is one function, wired and ready to serve.
type Function struct {
	Name    string
	Handler http.Handler
	Health  func() Health
	Close   func(context.Context) error // drains what is under way, then lets go of connections and files
}

// What a slow or hostile client may take. There is no write timeout: streams last as long as their turn.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second // of reading a whole request
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// Listen listens on a TCP address; port 0 picks a free one.
func Listen(address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// ErrDraining is the cause with which a request's context ends when its instance leaves before the request is done.
var ErrDraining = errors.New("the instance is draining")

// lastWords is how much of the grace is for what still runs to say that it breaks off; of a short grace it is half.
const lastWords = time.Second

// Serve answers requests on l, by HTTP/1.1 and unencrypted HTTP/2, until ctx ends; requests under way then have grace to
// finish. Shortly before it is over their contexts end with ErrDraining, and in the end their connections are cut.
func Serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		BaseContext:       func(net.Listener) context.Context { return requests },
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(l) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	words := min(lastWords, grace/2)
	err := shutdown(server, grace-words)
	cut(ErrDraining)
	if errors.Is(err, context.DeadlineExceeded) {
		err = shutdown(server, words) // counted from here: a machine that was held up before leaves no less
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("requests still ran after %v", grace), server.Close())
	}
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// shutdown waits at most patience for the requests under way.
func shutdown(server *http.Server, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return server.Shutdown(ctx)
}

// notReady is how long an instance says on /readyz that it leaves before it stops listening, so that no request is sent
// to a closed port.
const notReady = 500 * time.Millisecond

// Run is the life of a function as a process: it serves f on PORT and the ops handler on OPS_PORT until SIGTERM or
// SIGINT, answers 503 on /readyz, drains within GRACE, and closes f.
func Run(ctx context.Context, c Common, f *Function, t *telemetry.Telemetry) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	main, err := Listen(":" + strconv.Itoa(c.Port))
	if err != nil {
		return err
	}
	ops, err := Listen(":" + strconv.Itoa(c.OpsPort))
	if err != nil {
		return errors.Join(err, main.Close())
	}
	t.Log.Info("ready", "function", f.Name, "address", main.Addr().String(), "ops", ops.Addr().String())
	err = live(ctx, c.Grace, main, ops, f, t)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Grace)
	defer cancel()
	t.Log.Info("drained", "function", f.Name)
	return errors.Join(err, f.Close(late), t.Close(late))
}

// live serves both ports until ctx ends or one of them fails. The ops port outlives the function's, to be scraped.
func live(ctx context.Context, grace time.Duration, main, ops net.Listener, f *Function, t *telemetry.Telemetry) error {
	var leaving atomic.Bool
	serving, drain := context.WithCancel(context.WithoutCancel(ctx))
	scraped, stopOps := context.WithCancel(context.WithoutCancel(ctx))
	defer drain()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stopOps()
		return Serve(serving, main, unreadyWhen(&leaving, f.Handler), grace)
	})
	group.Go(func() error { return Serve(scraped, ops, Ops(t, f), time.Second) })
	group.Go(func() error {
		<-failed.Done()
		leaving.Store(true)
		if ctx.Err() != nil {
			time.Sleep(notReady)
		}
		drain()
		return nil
	})
	return group.Wait()
}

func unreadyWhen(leaving *atomic.Bool, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && leaving.Load() {
			Problem(w, r, http.StatusServiceUnavailable, "Leaving", "This instance is draining.", nil)
			return
		}
		h.ServeHTTP(w, r)
	})
}
