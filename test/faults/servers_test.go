package faults

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
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
