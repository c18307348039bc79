package broker

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/eventfilter/attributes"
	"knative.dev/eventing/pkg/eventfilter/subscriptionsapi"
)

// newFilter is the choice that Knative's filter handler makes: filters, or else the older filter.
func newFilter(t *eventing.Trigger) eventfilter.Filter {
	if len(t.Spec.Filters) > 0 || t.Spec.Filter == nil {
		return every(compile(t.Spec.Filters))
	}
	return attributes.NewAttributesFilter(t.Spec.Filter.Attributes)
}

func compile(list []eventing.SubscriptionsAPIFilter) []eventfilter.Filter {
	filters := make([]eventfilter.Filter, len(list))
	for i, f := range list {
		filters[i] = compileOne(f)
	}
	return filters
}

// compileOne leaves everything but the two combinations to Knative: its own count their hits in a goroutine that races
// with their use (v0.50.0).
func compileOne(f eventing.SubscriptionsAPIFilter) eventfilter.Filter {
	switch {
	case len(f.All) > 0:
		return every(compile(f.All))
	case len(f.Any) > 0:
		return some(compile(f.Any))
	case f.Not != nil:
		return subscriptionsapi.NewNotFilter(compileOne(*f.Not))
	}
	if leaf := subscriptionsapi.MaterializeSubscriptionsAPIFilter(zap.NewNop(), f); leaf != nil {
		return leaf
	}
	return subscriptionsapi.NewNoFilter()
}

// every passes what all its filters let pass.
type every []eventfilter.Filter

// Filter implements eventfilter.Filter.
func (fs every) Filter(ctx context.Context, e cloudevents.Event) eventfilter.FilterResult {
	return firstThatIs(ctx, eventfilter.FailFilter, fs, e)
}

// Cleanup implements eventfilter.Filter.
func (fs every) Cleanup() { cleanup(fs) }

// some passes what one of its filters lets pass.
type some []eventfilter.Filter

// Filter implements eventfilter.Filter.
func (fs some) Filter(ctx context.Context, e cloudevents.Event) eventfilter.FilterResult {
	return firstThatIs(ctx, eventfilter.PassFilter, fs, e)
}

// Cleanup implements eventfilter.Filter.
func (fs some) Cleanup() { cleanup(fs) }

// firstThatIs gives the first result that is decisive, or else the last one.
func firstThatIs(ctx context.Context, decisive eventfilter.FilterResult, fs []eventfilter.Filter, e cloudevents.Event) eventfilter.FilterResult {
	result := eventfilter.NoFilter
	for _, f := range fs {
		if result = f.Filter(ctx, e); result == decisive {
			return result
		}
	}
	return result
}

func cleanup(fs []eventfilter.Filter) {
	for _, f := range fs {
		f.Cleanup()
	}
}
