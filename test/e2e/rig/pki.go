package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pair is a certificate and its key.
type pair struct {
	certificate *x509.Certificate
	der         []byte
	key         *ecdsa.PrivateKey
}

// sign makes a certificate that ca signs; without ca it signs itself, as an authority.
func sign(ca *pair, subject pkix.Name, names []string, addresses ...string) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, a := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(a))
	}
	if ca == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		ca = &pair{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	return &pair{certificate: template, der: der, key: key}, nil
}

func (p *pair) certificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.der})
}

func (p *pair) keyPEM() []byte {
	der, err := x509.MarshalECPrivateKey(p.key)
	if err != nil {
		panic(err) // of a key made here: its curve is known
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// writeCredentials writes the authority, the API server's pair and the operator's kubeconfig, which the node's own
// programs use too.
func writeCredentials(dir, kubeconfig string) error {
	ca, err := sign(nil, pkix.Name{CommonName: "rig"}, nil)
	if err != nil {
		return err
	}
	server, err := sign(ca, pkix.Name{CommonName: "kube-apiserver"},
		[]string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		nodeAddress, "127.0.0.1", "198.19.0.1")
	if err != nil {
		return err
	}
	admin, err := sign(ca, pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.crt": ca.certificatePEM(), "server.crt": server.certificatePEM(), "server.key": server.keyPEM(),
		"admin.crt": admin.certificatePEM(), "admin.key": admin.keyPEM(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(kubeconfig, kubeconfigFor(ca, admin), 0o600)
}

func kubeconfigFor(ca, user *pair) []byte {
	in := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: rig
clusters: [{name: rig, cluster: {server: "https://%s:6443", certificate-authority-data: %s}}]
users: [{name: rig, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: rig, context: {cluster: rig, user: rig}}]
`, nodeAddress, in(ca.certificatePEM()), in(user.certificatePEM()), in(user.keyPEM()))
}
