package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	images       = address + ":5000"
	certificates = "/etc/ssl/certs/ca-certificates.crt"
)

// serveRegistry keeps images in memory. One is there from the beginning: the base that ko puts programs on.
func serveRegistry() error {
	listener, err := net.Listen("tcp", images)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := pushBase(images + "/base"); err != nil {
		return fmt.Errorf("registry: base image: %w", err)
	}
	return fmt.Errorf("registry: %w", <-failed)
}

// pushBase pushes what ko's own base is too: certificates, a folder for temporary files, and a user who is nobody.
func pushBase(reference string) error {
	files, err := baseFiles()
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return err
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: runtime.GOARCH, OS: "linux",
		RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{User: "65532:65532"}})
	if err != nil {
		return err
	}
	if base, err = mutate.AppendLayers(base, layer); err != nil {
		return err
	}
	to, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return err
	}
	return remote.Write(to, base)
}

// baseFiles is an archive of the base's files.
func baseFiles() ([]byte, error) {
	trusted, err := os.ReadFile(certificates)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	out := tar.NewWriter(&files)
	err = out.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777})
	err = errors.Join(err, out.WriteHeader(&tar.Header{Name: certificates[1:], Mode: 0o444, Size: int64(len(trusted))}))
	_, wrote := out.Write(trusted)
	err = errors.Join(err, wrote, out.Close())
	return files.Bytes(), err
}
