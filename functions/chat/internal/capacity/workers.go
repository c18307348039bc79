package capacity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aguante-chat/aguante/shared/guard"
)

// healthBytes is more than a function's /health takes.
const healthBytes = 64 << 10

// Workers asks materialize how busy it is.
type Workers struct {
	health string
	guard  *guard.Guard
	http   *http.Client
}

// NewWorkers returns the Workers at materialize's address, asked through g.
func NewWorkers(address string, g *guard.Guard) *Workers {
	return &Workers{strings.TrimSuffix(address, "/") + "/health", g, &http.Client{Transport: &http.Transport{}}}
}

// Busy is the share of its time that the instance which answers is busy; zero when none does.
func (w *Workers) Busy(ctx context.Context) float64 {
	busy, err := guard.Do(ctx, w.guard, w.ask)
	if err != nil {
		return 0
	}
	return busy
}

func (w *Workers) ask(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.health, nil)
	if err != nil {
		return 0, err
	}
	response, err := w.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("workers: %s", response.Status)
	}
	var health struct {
		Load float64 `json:"load"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, healthBytes)).Decode(&health)
	return health.Load, err
}

// Close closes the connections.
func (w *Workers) Close() { w.http.CloseIdleConnections() }
