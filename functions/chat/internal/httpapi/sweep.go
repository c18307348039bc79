package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

// pingType is what Knative's PingSource sends, whatever else it is told.
const pingType = "dev.knative.sources.ping"

// sweepTime is how long one request empties the outbox: as long as a turn may take.
const sweepTime = limits.Turn

// sweep serves POST /outbox/sweep, to which a PingSource sends: it wakes a chat at zero, whose outbox nobody would empty
// otherwise, and keeps it awake until that is done. Who has no key may send it too, PingSources have none; it is limited
// as an internal route is and does nothing that chat does not do by itself.
func (a *api) sweep(w http.ResponseWriter, r *http.Request, c *call) error {
	c.caller = turn.Caller{Address: a.Proxies.client(r).String(), Class: classInternal, Rate: a.Quota.Now().Rates.Internal}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	event.Handler("/chat", a.empty, event.HandlerOptions{HopsRefused: a.Telemetry.Metrics.HopsRefused, Log: a.Telemetry.Log}).ServeHTTP(w, r)
	return nil
}

// empty empties the outbox. An outbox that is not empty afterwards wants another ping.
func (a *api) empty(ctx context.Context, e event.Event) (*event.Event, error) {
	if e.Type() != pingType {
		return nil, &event.Never{Status: http.StatusUnprocessableEntity, Err: fmt.Errorf("the outbox is swept by %s alone", pingType)}
	}
	if a.Sweep == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, sweepTime, errors.New("there is more in the outbox"))
	defer cancel()
	if err := a.Sweep(ctx); err != nil {
		return nil, &event.Again{After: 10 * time.Second, Err: errors.Join(context.Cause(ctx), err)}
	}
	return nil, nil
}
