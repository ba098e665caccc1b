package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Size is the width and height of the terminal behind w; ok is false where w is none,
// or doesn't tell.
func Size(w io.Writer) (width, height int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, 0, false
	}
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 0, 0, false
	}
	return int(ws.Col), int(ws.Row), true
}

// UTF8 says whether the reader's locale can show more than ASCII.
func UTF8() bool {
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts
		if v := strings.ToUpper(os.Getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// Screen is a terminal taken over for pictures: another screen, no cursor, and keys
// that arrive one by one without being shown.
type Screen struct {
	in, out *os.File
	before  unix.Termios
}

// Take takes the terminal over. Call Close, or it stays so.
func Take(in io.Reader, out io.Writer) (*Screen, error) {
	i, ok1 := in.(*os.File)
	o, ok2 := out.(*os.File)
	if !ok1 || !ok2 || !IsTerminal(o) {
		return nil, errors.New("there is no terminal")
	}
	t, err := unix.IoctlGetTermios(int(i.Fd()), unix.TCGETS)
	if err != nil {
		return nil, errors.New("there is no terminal")
	}
	s := &Screen{in: i, out: o, before: *t}
	t.Lflag &^= unix.ICANON | unix.ECHO
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	t.Cc[unix.VSUSP] = 0 // a stopped program would leave the terminal like this
	if err := unix.IoctlSetTermios(int(i.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("the terminal can't be set up: %w", err)
	}
	_, _ = io.WriteString(o, "\x1b[?1049h\x1b[?25l\x1b[2J")
	return s, nil
}

// Close gives the terminal back.
func (s *Screen) Close() {
	_, _ = io.WriteString(s.out, "\x1b[?25h\x1b[?1049l")
	_ = unix.IoctlSetTermios(int(s.in.Fd()), unix.TCSETS, &s.before)
}

// Draw shows lines of text, at most as many as fit. It is one write, and nothing is
// cleared before it is overwritten, so that it doesn't flicker.
func (s *Screen) Draw(lines []string) error {
	var b strings.Builder
	b.WriteString("\x1b[H")
	_, height, ok := Size(s.out)
	if !ok {
		height = 24
	}
	for i, l := range lines {
		if i == height {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l)
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(s.out, b.String())
	return err
}

// keys sends what is typed until ctx ends, which it notices within a tenth of a second,
// and then closes the channel.
func (s *Screen) keys(ctx context.Context) <-chan byte {
	keys := make(chan byte)
	go func() {
		defer close(keys)
		var b [1]byte
		for ctx.Err() == nil {
			fd := []unix.PollFd{{Fd: int32(s.in.Fd()), Events: unix.POLLIN}}
			n, err := unix.Poll(fd, 100)
			if n == 0 || errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			if n, err := unix.Read(int(s.in.Fd()), b[:]); n != 1 || err != nil {
				return // the terminal is gone
			}
			select {
			case keys <- b[0]:
			case <-ctx.Done():
			}
		}
	}()
	return keys
}

// Watch draws what picture returns once a second, and when the window changes its
// size, until ctx ends or somebody types q.
func (s *Screen) Watch(ctx context.Context, picture func(width, height int) []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	keys := s.keys(ctx)
	defer func() {
		cancel()
		for range keys { // nobody reads the terminal when this returns
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		width, height, ok := Size(s.out)
		if !ok {
			width, height = 80, 24
		}
		if err := s.Draw(picture(width, height)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case k, open := <-keys:
			if !open || k == 'q' || k == 'Q' {
				return nil
			}
		case <-resized:
		case <-tick.C:
		}
	}
}
