package session

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// A piece is kept as the number of its fields and, of each, its length and its bytes: as it came, to the byte, and at a
// fraction of what JSON costs. Fields are only ever added at the end, so that instances of two versions read each other.
const (
	fieldText = iota
	fieldToolCalls
	fieldDegraded // JSON
	fieldChoices
	fieldModel
	fieldFingerprint
	fieldServiceTier
	pieceFields
)

var errNoPiece = errors.New("session: a piece that is none")

// appendPiece appends p to b, without the empty fields at its end.
func appendPiece(b []byte, p turn.Piece) []byte {
	fields := [pieceFields]string{fieldText: p.Text, fieldToolCalls: string(p.ToolCalls)}
	if p.Degraded != nil {
		degraded, _ := json.Marshal(p.Degraded) // three strings: it cannot fail
		fields[fieldDegraded] = string(degraded)
	}
	if c := p.Chunk; c != nil {
		fields[fieldChoices], fields[fieldModel] = c.Choices, c.Model
		fields[fieldFingerprint], fields[fieldServiceTier] = c.Fingerprint, c.ServiceTier
	}
	n := len(fields)
	for n > 0 && fields[n-1] == "" {
		n--
	}
	b = append(b, byte(n))
	for _, field := range fields[:n] {
		b = append(binary.AppendUvarint(b, uint64(len(field))), field...)
	}
	return b
}

// takePiece reads the first of some pieces.
func takePiece(b []byte) (p turn.Piece, rest []byte, err error) {
	var fields [pieceFields]string
	n, b := int(b[0]), b[1:]
	for i := range n {
		size, width := binary.Uvarint(b)
		if width <= 0 || size > uint64(len(b)-width) {
			return p, nil, errNoPiece
		}
		if b = b[width:]; i < pieceFields {
			fields[i] = string(b[:size])
		}
		b = b[size:]
	}
	p.Text = fields[fieldText]
	if calls := fields[fieldToolCalls]; calls != "" {
		p.ToolCalls = json.RawMessage(calls)
	}
	if degraded := fields[fieldDegraded]; degraded != "" {
		if err := json.Unmarshal([]byte(degraded), &p.Degraded); err != nil {
			return p, nil, errNoPiece
		}
	}
	if choices := fields[fieldChoices]; choices != "" {
		p.Chunk = &engine.Chunk{Choices: choices, Model: fields[fieldModel], Fingerprint: fields[fieldFingerprint], ServiceTier: fields[fieldServiceTier]}
	}
	return p, b, nil
}
