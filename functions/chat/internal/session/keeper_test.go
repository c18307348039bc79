package session

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

func keeperOf(t testing.TB, s *Store) *Keeper {
	patient := limits.Redis
	patient.Timeout = 5 * time.Second
	k := NewKeeper(s, guard.New(patient, nil))
	t.Cleanup(k.Close)
	return k
}

func streamed(id string) turn.Turn {
	return turn.Turn{ID: id, SessionID: "s1", User: "ana", Form: "openai", Caller: turn.Caller{Key: "shop", Address: "192.0.2.1"},
		Params:   map[string]json.RawMessage{"seed": json.RawMessage("7")},
		Messages: []engine.Message{{Role: "user", Content: "hi", Raw: json.RawMessage(`{"role":"user","content":[{"type":"text","text":"hi"}]}`)}}}
}

func read(t testing.TB, k *Keeper, id, after, holder string) turn.Told {
	t.Helper()
	told, err := k.Read(t.Context(), id, after, holder)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// keptSoon reads a stream until it has n pieces.
func keptSoon(t testing.TB, k *Keeper, id string, n int) turn.Told {
	t.Helper()
	var told turn.Told
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if told = read(t, k, id, "", ""); len(told.Pieces) >= n && told.Turn != nil {
			return told
		}
	}
	t.Fatalf("%d of %d pieces are kept", len(told.Pieces), n)
	return told
}

func TestAStreamIsReadAsItWasKept(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		k, in := keeperOf(t, s), streamed("t1")
		pieces := []turn.Piece{
			{Degraded: &guard.Degraded{Zone: "graph", Dependency: "neo4j", Reason: "open"}},
			{Text: "a \"<漢>\n"},
			{Text: "b", Chunk: &engine.Chunk{Model: "m", Fingerprint: "fp", ServiceTier: "flex", Choices: `[{"index":0,"delta":{"content":"b"},"logprobs":null}]`}},
			{ToolCalls: json.RawMessage(`[{"index":0,"id":"c"}]`)},
		}
		kept := k.Keep(in, "one")
		for _, p := range pieces[:2] {
			kept.Add(p)
		}
		told := keptSoon(t, k, "t1", 2)
		in.Caller = turn.Caller{Key: "shop"}
		if !reflect.DeepEqual(*told.Turn, in) || !told.Held || told.Ending != nil {
			t.Errorf("under way: %+v", told)
		}
		for _, p := range pieces[2:] {
			kept.Add(p)
		}
		reply := turn.Reply{TurnID: "t1", SessionID: "s1", TraceID: "x", Recalled: []turn.Recalled{{TurnID: "t0", Text: "hello", Score: 0.5}}}
		reply.Text, reply.Engine, reply.Usage = "a b", "local", engine.Usage{TotalTokens: 3}
		kept.End(turn.Ending{Reply: &reply})
		k.Close()
		rest := read(t, k, "t1", told.Last, "")
		if !reflect.DeepEqual(append(told.Pieces, rest.Pieces...), pieces) {
			t.Errorf("read %+v, then %+v", told.Pieces, rest.Pieces)
		}
		if rest.Held || rest.Ending == nil || !reflect.DeepEqual(*rest.Ending.Reply, reply) {
			t.Errorf("over: %+v", rest)
		}
		whole := read(t, k, "t1", "", "")
		if len(whole.Pieces) != len(pieces) || whole.Turn.Messages != nil || whole.Turn.Params != nil || whole.Turn.Caller.Key != "shop" || whole.Turn.Form != "openai" {
			t.Errorf("from its beginning: %+v of %+v", whole, whole.Turn)
		}
		for _, key := range []string{piecesKey("t1"), headKey("t1")} {
			if age := s.client.TTL(t.Context(), key).Val(); age <= 0 || age > keptFor {
				t.Errorf("%s stays for %s", key, age)
			}
		}
		if none := read(t, k, "t2", "", ""); none.Turn != nil || none.Held {
			t.Errorf("a stream that is none: %+v", none)
		}
	})
}

func TestAStreamHasOneHolderAtATime(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		here, there := keeperOf(t, s), keeperOf(t, s)
		first := here.Keep(streamed("t1"), "one")
		first.Add(turn.Piece{Text: "a"})
		keptSoon(t, there, "t1", 1)
		if !read(t, there, "t1", "", "two").Held {
			t.Fatal("taken from its holder")
		}
		first.Add(turn.Piece{Text: "b"})
		if !first.LetGo() {
			t.Fatal("not all is kept")
		}
		told := read(t, there, "t1", "", "two")
		if told.Held || len(told.Pieces) != 2 {
			t.Fatalf("taken with %+v", told)
		}
		if !read(t, here, "t1", "", "three").Held {
			t.Error("taken twice")
		}
		second := there.Keep(*told.Turn, "two")
		second.Add(turn.Piece{Text: "c"})
		late := here.Keep(streamed("t1"), "one") // as one that slept while it lost the stream
		late.Add(turn.Piece{Text: "x"})
		if late.LetGo() {
			t.Error("who lost it writes on")
		}
		second.End(turn.Ending{Error: "cut"})
		there.Close()
		told = read(t, here, "t1", "", "")
		if got := fmt.Sprint(texts(told)); got != "[a b c]" || told.Ending == nil || told.Ending.Error != "cut" {
			t.Errorf("kept %s, %+v", got, told.Ending)
		}
	})
}

func texts(told turn.Told) (all []string) {
	for _, p := range told.Pieces {
		all = append(all, p.Text)
	}
	return all
}

func TestAStreamWhoseHolderDiedIsFreeSoon(t *testing.T) {
	redis := miniredis.RunT(t)
	k := keeperOf(t, open(t, "redis://"+redis.Addr()+patient))
	if read(t, k, "t1", "", "one").Held || !read(t, k, "t1", "", "two").Held {
		t.Fatal("it is not taken")
	}
	redis.FastForward(heldFor)
	if read(t, k, "t1", "", "two").Held {
		t.Error("the dead hold it")
	}
}

func TestManyStreamsAtOnceAreAllKept(t *testing.T) {
	k := keeperOf(t, open(t, redistest.URL(t)+patient))
	const streams, pieces = 3 * writeMost / 2, 20
	var all sync.WaitGroup
	for n := range streams {
		all.Go(func() {
			s := k.Keep(streamed(fmt.Sprint("t", n)), "one")
			for i := range pieces {
				s.Add(turn.Piece{Text: fmt.Sprint(n, " ", i)})
			}
			s.End(turn.Ending{Error: "cut"})
		})
	}
	all.Wait()
	k.Close()
	for n := range streams {
		if told := read(t, k, fmt.Sprint("t", n), "", ""); len(told.Pieces) != pieces || told.Ending == nil {
			t.Fatalf("stream %d: %d pieces, %+v", n, len(told.Pieces), told.Ending)
		}
	}
}

// Add must not wait: these tests hang if it does.
func TestAStreamThatCannotBeKeptGoesOnAndSaysSo(t *testing.T) {
	for name, breakIt := range map[string]func(*redistest.Server){"frozen": (*redistest.Server).Freeze, "dead": (*redistest.Server).Kill} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server.URL())
			k := NewKeeper(s, guard.New(limits.Redis, nil))
			defer k.Close()
			kept := k.Keep(streamed("t1"), "one")
			breakIt(server)
			var lack *guard.Degraded
			for end := time.Now().Add(20 * time.Second); lack == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
				lack = kept.Add(turn.Piece{Text: "a"})
			}
			if lack == nil || lack.Dependency != "redis" || lack.Zone != limits.ZoneSync || lack.Reason == "" {
				t.Errorf("lacking: %+v", lack)
			}
			if kept.LetGo() {
				t.Error("it says that it is kept")
			}
		})
	}
}

func TestNoMoreIsKeptOfAStreamThanAMegabyte(t *testing.T) {
	k := keeperOf(t, open(t, "redis://"+miniredis.RunT(t).Addr()+patient))
	s := k.Keep(streamed("t1"), "one")
	piece := turn.Piece{Text: strings.Repeat("a", keptBytes/8)}
	for range 7 {
		if lack := s.Add(piece); lack != nil {
			t.Fatalf("lacking: %+v", lack)
		}
	}
	if s.Add(piece); s.Add(piece) == nil || s.LetGo() {
		t.Error("more is kept")
	}
}

func TestNonsenseInAStreamIsUnreadableAndNoError(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		k := keeperOf(t, s)
		for name, value := range map[string][]any{"pieces": {"pieces", "{"}, "degraded": {"pieces", "\x03\x00\x00\x01{"}, "end": {"end", "nonsense"}} {
			s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: piecesKey(name), Values: value})
			if _, err := k.Read(t.Context(), name, "", ""); err == nil || !strings.Contains(err.Error(), turn.ErrUnreadable.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.client.Set(t.Context(), piecesKey("text"), "x", 0)
		if _, err := k.Read(t.Context(), "text", "", ""); err == nil {
			t.Error("a text is no stream")
		}
		lost := k.Keep(streamed("text"), "one")
		lost.Add(turn.Piece{Text: "a"})
		fine := k.Keep(streamed("fine"), "one")
		fine.Add(turn.Piece{Text: "a"})
		if lost.LetGo() || !fine.LetGo() {
			t.Error("one stream that cannot be written is all that is lost")
		}
		s.client.Set(t.Context(), headKey("head"), `{"turn":7}`, 0)
		if told := read(t, k, "head", "", ""); told.Turn != nil {
			t.Errorf("a head that is none: %+v", told.Turn)
		}
	})
}

// BenchmarkKeptPiece is what keeping adds to a piece of a stream, without the writes.
func BenchmarkKeptPiece(b *testing.B) {
	k := NewKeeper(nil, guard.New(limits.Redis, nil))
	k.closed = true
	for name, p := range map[string]turn.Piece{
		"text":   {Text: "some words of an answer "},
		"openai": {Text: "some words of an answer ", Chunk: &engine.Chunk{Model: "m", Choices: `[{"index":0,"delta":{"content":"some words of an answer "},"logprobs":null}]`}},
	} {
		b.Run(name, func(b *testing.B) {
			s := k.Keep(streamed("t1"), "one").(*keeping)
			b.ReportAllocs()
			for b.Loop() {
				s.Add(p)
				if len(s.pending) > 8<<10 {
					s.pending, s.bytes = s.pending[:0], 0
				}
			}
		})
	}
}
