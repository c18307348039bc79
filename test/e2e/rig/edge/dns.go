package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	core "k8s.io/client-go/listers/core/v1"
	slices "k8s.io/client-go/listers/discovery/v1"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

const domain = ".svc.cluster.local."

// lookup answers from what the API server knows of services.
type lookup struct {
	services core.ServiceLister
	slices   slices.EndpointSliceLister
}

// endpoints are the ready addresses of a backend, and whether they speak HTTP/2.
func (l *lookup) endpoints(b v1alpha1.IngressBackend) (addresses []string, http2 bool) {
	service, err := l.services.Services(b.ServiceNamespace).Get(b.ServiceName)
	if err != nil {
		return nil, false
	}
	name := ""
	for _, p := range service.Spec.Ports {
		if p.Port == b.ServicePort.IntVal || p.Name == b.ServicePort.StrVal {
			name = p.Name
		}
	}
	l.each(service, func(slice *discovery.EndpointSlice, ip string) {
		for _, p := range slice.Ports {
			if p.Name != nil && *p.Name == name && p.Port != nil {
				addresses = append(addresses, net.JoinHostPort(ip, strconv.Itoa(int(*p.Port))))
			}
		}
	})
	return addresses, name == networking.ServicePortNameH2C
}

func (l *lookup) each(service *corev1.Service, visit func(*discovery.EndpointSlice, string)) {
	found, err := l.slices.EndpointSlices(service.Namespace).List(labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: service.Name}))
	if err != nil {
		return // of a cache: it has none
	}
	for _, slice := range found {
		for _, e := range slice.Endpoints {
			for _, ip := range e.Addresses {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					visit(slice, ip)
				}
			}
		}
	}
}

// resolve gives the addresses of service.namespace.svc.cluster.local; known is false where there is no such service.
func (l *lookup) resolve(name string) (addresses []string, known bool) {
	for range 3 { // an external name may be another service's
		labels := strings.Split(strings.TrimSuffix(strings.ToLower(name), domain), ".")
		if !strings.HasSuffix(strings.ToLower(name), domain) || len(labels) != 2 {
			return nil, false
		}
		service, err := l.services.Services(labels[1]).Get(labels[0])
		switch {
		case err != nil:
			return nil, false
		case service.Spec.Type == corev1.ServiceTypeExternalName:
			name = service.Spec.ExternalName + "."
		case service.Spec.ClusterIP != corev1.ClusterIPNone:
			return []string{service.Spec.ClusterIP}, true
		default:
			l.each(service, func(_ *discovery.EndpointSlice, ip string) { addresses = append(addresses, ip) })
			return addresses, true
		}
	}
	return nil, false
}

func serveDNS(listen string, l *lookup) error {
	c, err := net.ListenPacket("udp", listen)
	if err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	buffer := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return fmt.Errorf("dns: %w", err)
		}
		if answer, err := l.answer(buffer[:n]); err == nil {
			_, _ = c.WriteTo(answer, from)
		}
	}
}

func (l *lookup) answer(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	question, err := p.Question()
	if err != nil {
		return nil, err
	}
	addresses, known := l.resolve(question.Name.String())
	reply := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	m := dnsmessage.Message{Header: reply, Questions: []dnsmessage.Question{question}}
	for _, a := range addresses {
		ip := net.ParseIP(a).To4()
		if question.Type != dnsmessage.TypeA || ip == nil {
			continue
		}
		h := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: [4]byte(ip)}})
	}
	return m.Pack()
}
