// Package enginetest plays scanners.
package enginetest

import (
	"bytes"
	"context"
	"sync"

	"sluice/engine"
)

// Scanner finds texts. Its zero value finds nothing. It is safe for concurrent use.
type Scanner struct {
	Called string            // its name; "": "test"
	Finds  map[string]string // text → signature
	Kind   engine.Kind       // of what it finds; 0: Malware

	mu    sync.Mutex
	scans int
	err   error
	block chan struct{}
	info  engine.Info
	probe error
}

// Name is the engine's.
func (s *Scanner) Name() string {
	if s.Called == "" {
		return "test"
	}
	return s.Called
}

// Fail makes scans and, where probe is set, probes fail; nil: no more.
func (s *Scanner) Fail(scan, probe error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.probe = scan, probe
}

// Hang makes scans wait until release is called or their context ends.
func (s *Scanner) Hang() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.block = c
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.block = nil
		close(c)
	}
}

// Say sets what a probe is told.
func (s *Scanner) Say(i engine.Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = i
}

// Scans is how often it was asked.
func (s *Scanner) Scans() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scans
}

// Scan implements [engine.Scanner].
func (s *Scanner) Scan(ctx context.Context, body []byte) ([]engine.Finding, error) {
	s.mu.Lock()
	s.scans++
	err, block := s.err, s.block
	s.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	var out []engine.Finding
	for text, name := range s.Finds {
		if bytes.Contains(body, []byte(text)) {
			out = append(out, engine.Finding{Engine: s.Name(), Signature: name, Kind: max(s.Kind, engine.Malware)})
		}
	}
	return out, nil
}

// Probe implements [engine.Prober].
func (s *Scanner) Probe(context.Context) (engine.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info, s.probe
}
