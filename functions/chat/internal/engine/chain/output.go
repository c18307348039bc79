package chain

import (
	"errors"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/splice"
)

var errDiverged = errors.New("went on with another answer, which makes no document with the first half")

// output is what one attempt sends the caller: all of an answer that begins, the rest of one that goes on.
type output struct {
	*walk
	link   *link
	mine   func() bool // asked once, before anything is sent; nil: no other engine is at it
	join   *splice.Joiner
	goesOn bool
	began  time.Time
	first  time.Duration // until the first piece; 0: none came
	sent   int           // bytes of text that the caller was sent by this attempt
	told   bool          // that the answer goes another way
	fault  error
}

func (w *walk) output(l *link, mine func() bool) *output {
	return &output{walk: w, link: l, mine: mine, join: splice.New(w.text.String()), goesOn: w.text.Len() > 0, began: time.Now()}
}

// emitter passes pieces on; nil when the caller wants no stream.
func (o *output) emitter() engine.Emit {
	if o.emit == nil {
		return nil
	}
	return o.pass
}

func (o *output) pass(p engine.Piece) error {
	if o.first == 0 {
		if o.mine != nil && !o.mine() {
			o.fault = errLost
			return errLost
		}
		o.first = time.Since(o.began)
		o.link.firsts.add(o.first)
	}
	o.sealed = o.sealed || p.Sealed()
	if o.goesOn {
		return o.rest(o.join.Take(p.Text), p)
	}
	o.text.WriteString(p.Text)
	o.sent += len(p.Text)
	return o.emit(p)
}

// rest sends text, which is what is new in p. Half of one document and half of another are sent to no one who asked for
// a document.
func (o *output) rest(text string, p engine.Piece) error {
	if o.join.Diverged() && !o.told {
		o.told = true
		if o.request.Document() {
			o.fault = errDiverged
			return errDiverged
		}
		if err := o.lack(o.link.Name(), "diverged"); err != nil {
			return err
		}
	}
	if text == "" && p.ToolCalls == nil {
		return nil
	}
	o.text.WriteString(text)
	o.sent += len(text)
	return o.emit(engine.Piece{Text: text, ToolCalls: p.ToolCalls})
}

// end gives the whole answer, or why there is none. What was sent is paid for in either case.
func (o *output) end(a engine.Answer, err error) (engine.Answer, error) {
	if err == nil {
		a, err = o.complete(a)
	}
	switch {
	case errors.Is(o.fault, errLost):
		return a, errLost
	case o.fault != nil:
		err = &engine.Failure{Engine: o.link.Name(), Err: o.fault}
	}
	if err == nil || o.sent > 0 {
		o.charge(a)
	}
	return a, err
}

func (o *output) complete(a engine.Answer) (engine.Answer, error) {
	if o.emit == nil {
		if o.mine != nil && !o.mine() {
			o.fault = errLost
			return a, errLost
		}
		o.link.wholes.add(time.Since(o.began))
		return a, nil
	}
	if !o.goesOn {
		return a, nil
	}
	if o.rest(o.join.End(), engine.Piece{}) != nil {
		return a, engine.ErrLeft
	}
	a.Text, a.Whole = o.text.String(), nil
	return a, nil
}

// charge counts what an answer used and cost, or as much of it as came. An engine that does not tell its usage is taken to
// have used a token for every four bytes, OpenAI's rule of thumb for English.
func (o *output) charge(a engine.Answer) {
	u := a.Usage
	if u == (engine.Usage{}) {
		u = engine.Usage{PromptTokens: o.request.Size() / 4, CompletionTokens: max(o.sent, len(a.Text)) / 4}
	}
	cost := o.link.spec.Price.cost(u)
	o.tokens += u.PromptTokens + u.CompletionTokens
	o.cost += cost
	o.Spend.add(cost)
}
