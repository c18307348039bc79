package session

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// Read gives what is kept of a stream after a position of it, empty for all of it. With a holder, the stream is taken by
// it if it is free; what is given then is all that was kept before. turn.ErrUnreadable: Redis holds something else.
func (k *Keeper) Read(ctx context.Context, turnID, after, holder string) (turn.Told, error) {
	p := k.store.client.Pipeline()
	var taken *redis.BoolCmd
	var held *redis.IntCmd
	var head *redis.StringCmd
	if holder != "" {
		taken = p.SetNX(ctx, holderKey(turnID), holder, heldFor)
	} else {
		held = p.Exists(ctx, holderKey(turnID))
	}
	from := "-"
	if after != "" {
		from = "(" + after
	} else {
		head = p.Get(ctx, headKey(turnID))
	}
	entries := p.XRange(ctx, piecesKey(turnID), from, "+") // after the holder: whoever let go has written all
	nonsense, err := exec(ctx, p)
	switch {
	case err != nil:
		return turn.Told{}, fmt.Errorf("session: stream: %w", err)
	case nonsense != nil:
		return turn.Told{}, fmt.Errorf("session: stream: %w: %w", turn.ErrUnreadable, nonsense)
	}
	told := turn.Told{Held: taken != nil && !taken.Val() || held != nil && held.Val() > 0}
	if head != nil {
		told.Turn = decodeTurn(head.Val())
	}
	for _, entry := range entries.Val() {
		if err := decodeEntry(entry, &told); err != nil {
			return turn.Told{}, fmt.Errorf("session: stream: %w: %w", turn.ErrUnreadable, err)
		}
	}
	return told, nil
}

// decodeEntry reads an entry of a stream: its pieces, one after the other, and how it ended.
func decodeEntry(entry redis.XMessage, told *turn.Told) error {
	text, _ := entry.Values["pieces"].(string)
	for pieces := []byte(text); len(pieces) > 0; {
		p, rest, err := takePiece(pieces)
		if err != nil {
			return err
		}
		told.Pieces, pieces = append(told.Pieces, p), rest
	}
	told.Last = entry.ID
	if end, _ := entry.Values["end"].(string); end != "" {
		return json.Unmarshal([]byte(end), &told.Ending)
	}
	return nil
}

// keptTurn is a turn as a stream has it. Its messages stand apart: in JSON of their own they are what engines are sent.
type keptTurn struct {
	Turn     turn.Turn     `json:"turn"`
	Messages []keptMessage `json:"messages,omitempty"`
}

type keptMessage struct {
	Role    string          `json:"role"`
	Name    string          `json:"name,omitempty"`
	Content string          `json:"content"`
	Raw     json.RawMessage `json:"raw,omitempty"`
}

// encodeTurn gives what an instance needs to tell t or, with over, to tell it again.
func encodeTurn(t turn.Turn, over bool) ([]byte, error) {
	var messages []keptMessage
	if over {
		t.Params = nil
	} else {
		for _, m := range t.Messages {
			messages = append(messages, keptMessage{Role: m.Role, Name: m.Name, Content: m.Content, Raw: m.Raw})
		}
	}
	t.Messages, t.Caller = nil, turn.Caller{Key: t.Caller.Key}
	return json.Marshal(keptTurn{Turn: t, Messages: messages})
}

// decodeTurn gives nil for what is no turn.
func decodeTurn(text string) *turn.Turn {
	var k keptTurn
	if json.Unmarshal([]byte(text), &k) != nil || k.Turn.ID == "" {
		return nil
	}
	for _, m := range k.Messages {
		k.Turn.Messages = append(k.Turn.Messages, engine.Message{Role: m.Role, Name: m.Name, Content: m.Content, Raw: m.Raw})
	}
	return &k.Turn
}
