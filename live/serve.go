package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Listen opens the control socket, for this user only. What an earlier process left
// at the path is removed: the caller holds the lock of the folder.
func Listen(path string) (net.Listener, error) {
	if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("live: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) && len(path) > maxPath {
		return nil, fmt.Errorf("live: the path of a socket may have %d octets, %s has %d: choose a shorter data folder", maxPath, path, len(path))
	}
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("live: %w", err)
	}
	return ln, nil
}

// maxPath is the longest path of a socket (unix(7): 108 octets with a final zero).
const maxPath = 107

// maxReaders is how many may ask at the same time; others wait in the socket's queue.
const maxReaders = 8

// Serve answers GET /live on a listener, the control socket, with a snapshot as JSON,
// until ctx ends; then it closes the listener and returns nil. It changes nothing. Who
// may connect is decided by the socket's mode.
//
// ?minutes=N cuts the series of minutes to the last N.
func Serve(ctx context.Context, ln net.Listener, snapshot func() Snapshot, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /live", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := snapshot()
		if err := s.Cut(r.FormValue("minutes")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // the client is gone
	}))
	srv := &http.Server{
		Handler:           http.MaxBytesHandler(mux, 1<<10),
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       2 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    4 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	err := srv.Serve(netutil.LimitListener(ln, maxReaders))
	_ = srv.Close() // those who are still connected
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Socket is the control socket's name in the data folder.
const Socket = "control.sock"
