module knative.dev/reconciler-test

go 1.25.0
