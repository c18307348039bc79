package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
)

// repository is where images are said to be: Knative resolves no tags below it, so that nobody asks a registry. With
// another tag than latest nobody pulls what is there.
const (
	repository = "dev.local"
	tag        = ":e2e"
)

// container is an image made of files of this machine.
type container struct {
	name       string
	files      map[string]string // path in the image → path here
	entrypoint []string
}

// program is an image of one static binary.
func program(name, binary string) container {
	return container{name: repository + "/" + name + tag, files: map[string]string{"app": binary}, entrypoint: []string{"/app"}}
}

// load writes images as an archive into the node's containerd.
func load(ctx context.Context, images []container) error {
	node, err := running()
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(archive(writer, images)) }()
	ctr := exec.CommandContext(ctx, "ctr", "--address", fmt.Sprintf("/proc/%d/root/run/containerd/containerd.sock", node),
		"--namespace", "k8s.io", "images", "import", "-")
	ctr.Stdin = reader
	output, err := ctr.CombinedOutput()
	_ = reader.Close()
	if err != nil {
		return fmt.Errorf("load images: %w: %s", err, output)
	}
	return nil
}

// archive writes images in the format of `docker save`, which containerd imports.
func archive(to io.Writer, images []container) error {
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var manifest []entry
	out := tar.NewWriter(to)
	for _, image := range images {
		layer, digest, err := image.layer()
		if err != nil {
			return fmt.Errorf("image %s: %w", image.name, err)
		}
		defer layer.Close()
		e := entry{Config: digest + ".json", Layers: []string{digest + ".tar"}, RepoTags: []string{image.name}}
		if err := addFile(out, e.Layers[0], layer); err != nil {
			return err
		}
		if err := addBytes(out, e.Config, image.config(digest)); err != nil {
			return err
		}
		manifest = append(manifest, e)
	}
	content, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	if err := addBytes(out, "manifest.json", content); err != nil {
		return err
	}
	return out.Close()
}

func (c container) config(layer string) []byte {
	content, _ := json.Marshal(map[string]any{ // of strings: it cannot fail
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Entrypoint": c.entrypoint, "User": "65532:65532", // nobody
			"Env": []string{"PATH=/usr/local/bin:/usr/bin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layer}},
	})
	return content
}

// layer is the image's only layer, in a file without a name, and its digest.
func (c container) layer() (*os.File, string, error) {
	file, err := os.CreateTemp("", "rig-layer-")
	if err != nil {
		return nil, "", err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, "", err
	}
	h := sha256.New()
	out := tar.NewWriter(io.MultiWriter(file, h))
	if err := out.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return nil, "", err
	}
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		source, err := os.Open(c.files[path])
		if err != nil {
			return nil, "", err
		}
		err = addFile(out, path, source)
		_ = source.Close()
		if err != nil {
			return nil, "", err
		}
	}
	if err := out.Close(); err != nil {
		return nil, "", err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, fmt.Sprintf("%x", h.Sum(nil)), err
}

func addFile(out *tar.Writer, name string, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: int64(info.Mode().Perm() | 0o555), Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

func addBytes(out *tar.Writer, name string, content []byte) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := out.Write(content)
	return err
}

// stores loads the images of Redis and Neo4j.
func stores(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "rig-stores-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	graph, err := neo4j(ctx, dir)
	if err != nil {
		return err
	}
	cache, err := redis()
	if err != nil {
		return err
	}
	return load(ctx, []container{cache, graph})
}
