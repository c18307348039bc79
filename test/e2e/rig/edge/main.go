// Command edge is what a cluster has at its edges and a bare Kubernetes lacks: a reverse proxy for Knative's Ingresses,
// the names of the cluster's services, and a registry for images.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	knative "knative.dev/networking/pkg/client/clientset/versioned"
	externalversions "knative.dev/networking/pkg/client/informers/externalversions"
)

const (
	class       = "rig.ingress.networking.knative.dev"
	address     = "198.18.0.2" // of the node
	outside     = "198.18.0.1" // of the machine: whoever comes from there is not in the cluster
	kubeconfig  = "/var/kubeconfig"
	idleTimeout = 2 * time.Minute
)

func main() {
	if err := run(context.Background()); err != nil {
		slog.Error("edge ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	cluster, ingresses := kubernetes.NewForConfigOrDie(config), knative.NewForConfigOrDie(config)
	await(cluster, "discovery.k8s.io/v1")
	watch := informers.NewSharedInformerFactory(cluster, 0)
	l := &lookup{services: watch.Core().V1().Services().Lister(), slices: watch.Discovery().V1().EndpointSlices().Lister()}
	watch.Start(ctx.Done())
	watch.WaitForCacheSync(ctx.Done())
	failed := make(chan error, 3)
	go func() { failed <- serveRegistry() }()
	go func() { failed <- serveDNS(net.JoinHostPort(address, "53"), l) }()

	p := newProxy(l)
	go func() { failed <- p.serve(":80") }()
	await(cluster, v1alpha1.SchemeGroupVersion.String())
	followed := externalversions.NewSharedInformerFactory(ingresses, 0).Networking().V1alpha1().Ingresses()
	c := &controller{client: ingresses, lister: followed.Lister(), proxy: p}
	changed := func(any) { c.follow(ctx) }
	_, err = followed.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, now any) { changed(now) }, DeleteFunc: changed})
	if err != nil {
		return err
	}
	go followed.Informer().Run(ctx.Done())
	return <-failed
}

// await waits until the API server knows a group: informers that start too early wait for long between their attempts.
func await(cluster kubernetes.Interface, group string) {
	for {
		if _, err := cluster.Discovery().ServerResourcesForGroupVersion(group); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// serve answers by HTTP/1.1 and unencrypted HTTP/2, outside and inside the cluster.
func (p *proxy) serve(listen string) error {
	server := &http.Server{Addr: listen, Handler: p, IdleTimeout: idleTimeout, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	if err := server.ListenAndServe(); err != nil {
		return fmt.Errorf("ingress: %w", err)
	}
	return nil
}
