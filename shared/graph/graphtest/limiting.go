package graphtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

var limiting = []promise{
	{"a store answers a ping", func(m *memory) { m.must(m.store.Ping(m.Context())) }},
	{"whoever has left is not served", testLeft},
	{"whoever leaves in the middle leaves all or nothing", testLeavesInTheMiddle},
	{"ids may be as long as they may be", func(m *memory) {
		long := func(s string) string { return s + strings.Repeat("9", limits.MaxID-len(s)) }
		w := m.said(long("turn"), 0, "coffee")
		w.Turn.User, w.Turn.SessionID = long(m.user), long("session")
		digits := w
		digits.Turn.ID = strings.Repeat("9", limits.MaxID)
		m.write(w, digits)
		m.mustBe("turns", len(m.session(w.Turn.User, w.Turn.SessionID, 10)), 2)
	}},
	{"a turn may be as large as it may be", func(m *memory) {
		w := m.said("t1", 0, strings.Repeat("coffee ☕ ", limits.MaxMessage/11))
		for range limits.MaxBody / limits.MaxMessage {
			w.Turn.Messages = append(w.Turn.Messages, w.Turn.Messages[0])
		}
		m.write(w)
		m.mustFind("coffee", "t1")
		m.mustBe("messages", len(m.session(m.user, w.Turn.SessionID, 1)[0].Messages), len(w.Turn.Messages))
	}},
	{"ten thousand sessions are kept apart", testSessions},
}

func testLeft(m *memory) {
	m.write(m.said("t1", 0, "coffee", likes("coffee")))
	ctx, leave := context.WithCancel(m.Context())
	leave()
	_, wrote := m.store.Write(ctx, []graph.Write{m.said("t2", 1, "tea")})
	_, recalled := m.store.Recall(ctx, graph.Query{User: m.user, Text: "coffee", Limit: 1})
	_, told := m.store.Session(ctx, m.user, "session of "+m.user, 1)
	_, listed := m.store.Facts(ctx, m.user)
	_, forgot := m.store.Forget(ctx, m.user, noon.AddDate(1, 0, 0))
	for call, err := range map[string]error{
		"Write": wrote, "Recall": recalled, "Session": told, "Facts": listed, "Forget": forgot, "Ping": m.store.Ping(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			m.Errorf("%s for someone who left: %v", call, err)
		}
	}
	m.mustBe("turns", m.told(10), []string{"t1"})
	m.mustBe("holding", m.holding(), []string{"coffee"})
}

func testLeavesInTheMiddle(m *memory) {
	batch := make([]graph.Write, 100)
	for i := range batch {
		batch[i] = m.said(fmt.Sprint("t", i), i, "coffee", likes("coffee"))
	}
	for wait := time.Duration(0); wait < 20*time.Millisecond; wait += time.Millisecond {
		ctx, cancel := context.WithTimeout(m.Context(), wait)
		_, err := m.store.Write(ctx, batch)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			m.Errorf("after %v: %v", wait, err)
		}
		if told := len(m.told(1000)); told != 0 && told != len(batch) || err == nil && told == 0 {
			m.Errorf("after %v and %v %d turns are left", wait, err, told)
		}
	}
	m.write(batch...)
	m.mustBe("turns", len(m.told(1000)), len(batch))
}

func testSessions(m *memory) {
	const sessions = 10_000
	writes := make([]graph.Write, sessions)
	for i := range writes {
		writes[i] = m.said(fmt.Sprint("t", i), i, fmt.Sprintf("session number%d", i))
		writes[i].Turn.SessionID = fmt.Sprint(m.user, " ", i)
	}
	for batch := range slices.Chunk(writes, 500) {
		m.write(batch...)
	}
	for i := 0; i < sessions; i += sessions / 20 {
		m.mustBe("session", turnIDs(m.session(m.user, fmt.Sprint(m.user, " ", i), 10)), []string{fmt.Sprint("t", i)})
		m.mustBe("found", itemIDs(m.recall(fmt.Sprint("number", i)))[:1], []string{fmt.Sprint("t", i)})
	}
}
