package faults

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// listen serves each connection with serve until the listener is closed.
func listen(serve func(net.Conn)) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l, nil
}

// engineVariable makes the test's own binary an engine, so that one can be frozen and killed.
const engineVariable = "AGUANTE_FAULTS_ENGINE"

// serveEngine is an OpenAI-compatible engine that always says the same.
func serveEngine() error {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	fmt.Println(`{"msg": "ready", "ops": ":0"}`)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
			"message": {"role": "assistant", "content": "Noted."}, "finish_reason": "stop"}]}`)
	}))
}

// silence reads and never answers.
func silence(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// noise answers whatever comes with random bytes.
func noise(c net.Conn) {
	for asked, answer := make([]byte, 4096), make([]byte, 512); ; {
		if _, err := c.Read(asked); err != nil {
			return
		}
		_, _ = rand.Read(answer)
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// resp speaks Redis's protocol and has one answer to every command, but for the greeting of a connection.
func resp(answer string) func(net.Conn) {
	return func(c net.Conn) {
		for in := bufio.NewReader(c); ; {
			words, err := command(in)
			if err != nil {
				return
			}
			said := answer
			switch {
			case strings.EqualFold(words[0], "HELLO"):
				said = "-ERR unknown command 'HELLO'"
			case strings.EqualFold(words[0], "PING") && strings.HasPrefix(answer, "-MOVED"):
				said = "+PONG" // it has no key that could be elsewhere
			}
			if _, err := fmt.Fprintf(c, "%s\r\n", said); err != nil {
				return
			}
		}
	}
}

// command reads one command: an array of bulk strings.
func command(in *bufio.Reader) ([]string, error) {
	n, err := length(in, '*')
	words := make([]string, max(n, 1))
	for i := 0; i < n && err == nil; i++ {
		var size int
		if size, err = length(in, '$'); err == nil {
			word := make([]byte, size+2)
			_, err = io.ReadFull(in, word)
			words[i] = string(word[:size])
		}
	}
	return words, err
}

func length(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%q is no length", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// Messages of the Bolt protocol, by their tags.
const (
	boltBegin   = 0x11
	boltRun     = 0x10
	boltReset   = 0x0f
	boltGoodbye = 0x02
	boltRoute   = 0x66
)

// bolt passes on what a driver and the Neo4j at upstream say to each other, but refuses transactions with the failure of
// that code; what is said before a RESET is ignored, as by a server.
func bolt(upstream, code string) func(net.Conn) {
	return func(driver net.Conn) {
		server, err := net.Dial("tcp", upstream)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			defer driver.Close()
			_, _ = io.Copy(driver, server)
		}()
		in, hello := bufio.NewReader(driver), make([]byte, 20)
		if _, err := io.ReadFull(in, hello); err != nil {
			return
		}
		copy(hello[4:8], make([]byte, 4)) // no manifest of versions, which would be followed by more than messages
		if _, err := server.Write(hello); err != nil {
			return
		}
		for failed := false; ; {
			message, tag, err := boltMessage(in)
			if err != nil {
				return
			}
			switch {
			case tag == boltReset, tag == boltGoodbye:
				failed = false
			case failed:
				_, err = driver.Write(boltIgnored)
				message = nil
			case tag == boltBegin, tag == boltRun, tag == boltRoute:
				failed = true
				_, err = driver.Write(boltFailure(code))
				message = nil
			}
			if _, wrong := server.Write(message); err != nil || wrong != nil {
				return
			}
		}
	}
}

// boltMessage reads one message, with the lengths of its chunks, and its tag.
func boltMessage(in io.Reader) (message []byte, tag byte, err error) {
	for size := -1; size != 0; {
		head := make([]byte, 2)
		if _, err := io.ReadFull(in, head); err != nil {
			return nil, 0, err
		}
		size = int(head[0])<<8 | int(head[1])
		chunk := make([]byte, size)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, 0, err
		}
		if len(message) == 0 && size > 1 {
			tag = chunk[1]
		}
		if size == 0 && len(message) == 0 {
			size = -1 // a chunk of nothing keeps the connection alive
			continue
		}
		message = append(append(message, head...), chunk...)
	}
	return message, tag, nil
}

// boltIgnored is the message IGNORED; boltFailure is FAILURE with a map of code and message (PackStream).
var boltIgnored = []byte{0, 2, 0xb0, 0x7e, 0, 0}

func boltFailure(code string) []byte {
	text := func(s string) []byte { return append([]byte{0xd0, byte(len(s))}, s...) }
	body := []byte{0xb1, 0x7f, 0xa2}
	for _, s := range []string{"code", code, "message", "refused by the fault matrix"} {
		body = append(body, text(s)...)
	}
	return append(append([]byte{0, byte(len(body))}, body...), 0, 0)
}
