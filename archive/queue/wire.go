package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

const (
	protocol   = 1
	maxMessage = 64 << 10 // bytes of JSON
)

// request begins a call.
type request struct {
	Protocol int             `json:"protocol"`
	Op       string          `json:"op"`
	Config   string          `json:"config,omitempty"` // empty: any will do
	Question json.RawMessage `json:"question,omitempty"`
}

// reply is what comes back: any number that say Working, and one other.
type reply struct {
	Working  bool            `json:"working,omitempty"`
	Progress int64           `json:"progress,omitempty"` // how often something arrived
	Answer   json.RawMessage `json:"answer,omitempty"`
	Failure  *failure        `json:"failure,omitempty"`
	Declined string          `json:"declined,omitempty"`
}

// send writes a message, in one write.
func send(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(text) > maxMessage {
		return fmt.Errorf("a message of %d bytes, more than %d", len(text), maxMessage)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	_, err = w.Write(append(b, text...))
	return err
}

// receive reads a message. It allocates no more than maxMessage, whatever the
// length says.
func receive(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return fmt.Errorf("a message of %d bytes, more than %d", n, maxMessage)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, message)
}
