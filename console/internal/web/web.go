// Package web is what the console and the public pages share: response headers,
// limits, the check of the Host header, client addresses behind proxies, and a
// bounded rate limiter.
package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// Policy is the content security policy of all pages: nothing but our own style
// and script files, forms only to ourselves, never in a frame.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// PolicyWithoutScript is for pages that have no script at all.
const PolicyWithoutScript = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// PolicyWithForms is for pages without script that post to ourselves.
const PolicyWithForms = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Headers sets what every response carries. Pages are never cached: they show
// mail, and logging out must mean it.
func Headers(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Recover turns a panic into a 500 and a log line; the server stays up.
func Recover(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p) // net/http's own way to drop a connection
			}
			log.Error("page failed", slog.String("method", r.Method), slog.String("path", r.URL.EscapedPath()),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			// Where the page had begun, this only ends it.
			http.Error(w, "Something went wrong on our side; it was logged.", http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

// LimitBody bounds what a request may carry.
func LimitBody(n int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, n)
		next.ServeHTTP(w, r)
	})
}

// Hosts refuses requests for names that aren't ours, so that a stranger's page
// can't reach us by a name of its own that resolves to our address (DNS
// rebinding). IP addresses are always let through: there the browser's origin is
// the address itself. So are localhost's names, which no stranger can publish.
func Hosts(names []string, next http.Handler) http.Handler {
	known := map[string]bool{"localhost": true}
	for _, n := range names {
		known[hostOf(n)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if _, err := netip.ParseAddr(host); err != nil && !known[host] && !strings.HasSuffix(host, ".localhost") {
			http.Error(w, "This server doesn't answer to that name. Ask for it by its address, or add the name to the configuration.",
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf strips port, brackets, a final dot and case.
func hostOf(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		s = h
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// Client returns the address a request comes from. X-Forwarded-For counts only
// where the peer, and each hop it names, is a known proxy: the last unknown one
// is the client.
func Client(r *http.Request, proxies []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap()
	hops := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for n := 0; n < 16 && Within(addr, proxies); n++ {
		i := strings.LastIndexByte(hops, ',')
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i+1:]))
		if err != nil {
			break
		}
		addr, hops = hop.Unmap(), hops[:max(i, 0)]
	}
	return addr
}

// Forwarded says that a proxy which we don't know stands before us, as far as it
// admits: then the peer's address says nothing about who asks.
func Forwarded(r *http.Request, proxies []netip.Prefix) bool {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && Within(ap.Addr().Unmap(), proxies) {
		return false
	}
	for _, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// Within says whether one of the prefixes holds the address.
func Within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// NewServer returns a server with deadlines on everything: a client that sends
// or reads one octet at a time is cut off.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
