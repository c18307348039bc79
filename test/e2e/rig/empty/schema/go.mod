module knative.dev/hack/schema

go 1.25.0
