package system

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// attached is a message with one file.
func attached(id, name, mediaType string, file []byte) string {
	return "From: Ann <ann@sender.example>\r\nTo: bob@a.example\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nSubject: the file\r\nMessage-ID: <" + id + "@sender.example>\r\n" +
		"X-Test: " + id + "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" +
		"Here is the file that we spoke of on the phone. It is locked, and the password is Kiwi-77.\r\n--b\r\nContent-Type: " + mediaType + "; name=\"" + name + "\"\r\n" +
		"Content-Disposition: attachment; filename=\"" + name + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(file) + "\r\n--b--\r\n"
}

func zipped(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFiles: what a file is, however deep it lies, decides by the admin's table; what
// is taken out can be had back; and nothing of it stops mail when the processes that
// look into files are killed.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, setup{relay: "maildir:" + dir, more: "[files.actions]\nactive_page = \"convert\"\n[files.extensions]\nxyz = \"strip\"\n"})
	program := append([]byte("MZ"), bytes.Repeat([]byte{0}, 62)...)
	program = append(program, "This program cannot be run in DOS mode."...)
	const page = "<html><body><p>The plan for <b>spring</b></p><script>document.location='https://x.example/'</script></body></html>"
	for _, tt := range []struct {
		name string
		msg  string
		want string
		in   []string // of what arrives
		out  []string
	}{
		{"a text file", attached("text", "notes.txt", "text/plain", []byte("the notes\n")), "250", []string{"notes.txt"}, nil},
		{"a zip of text", attached("zip", "notes.zip", "application/zip", zipped(t, "notes.txt", []byte("the notes"))), "250", []string{"notes.zip"}, nil},
		{"a zip of a test file", attached("eicar", "a.zip", "application/zip", zipped(t, "b.zip", zipped(t, "c.txt", []byte(eicar)))), "554", nil, nil},
		{"a zip of a zip of a program", attached("exe", "a.zip", "application/zip", zipped(t, "b.zip", zipped(t, "run.exe", program))), "552", nil, nil},
		{"a page with script", attached("page", "plan.html", "text/html", []byte(page)), "250", []string{"was a page with programs in it", "The plan for spring"}, []string{"<script>"}},
		{"an extension of ours", attached("xyz", "a.xyz", "application/octet-stream", []byte("\x00\x01\x02")), "250", []string{"was taken out of this message"}, []string{"AAEC"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := files(t, dir, "")
			r := d.send(tt.msg, "bob@a.example")
			if !strings.HasPrefix(r, tt.want) {
				t.Fatalf("got %s, want %s", r, tt.want)
			}
			if tt.want != "250" {
				return
			}
			var body string
			for _, f := range files(t, dir, "") {
				if b, err := os.ReadFile(f); err == nil && !slices.Contains(before, f) {
					body = strings.ReplaceAll(string(b), "=\n", "")
				}
			}
			for _, s := range tt.in {
				if !strings.Contains(body, s) {
					t.Errorf("no %q in\n%s", s, body)
				}
			}
			for _, s := range tt.out {
				if strings.Contains(body, s) {
					t.Errorf("%q is left in\n%s", s, body)
				}
			}
		})
	}
	if n := len(lines(t, d.sluice("quarantine", "list", "--json"))); n != 2 {
		t.Errorf("%d originals in quarantine, want 2", n)
	}
	// The processes die, the mail goes on.
	for i := range 20 {
		for _, pid := range children(t, d) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if r := d.send(attached("kill", "notes.zip", "application/zip", zipped(t, "notes.txt", []byte("the notes"))), "bob@a.example"); !strings.HasPrefix(r, "250") && !strings.HasPrefix(r, "451") {
			t.Fatalf("try %d: %s", i, r)
		}
	}
	eventually(t, "files are looked into again", func() bool {
		return strings.HasPrefix(d.send(attached("again", "a.zip", "application/zip", zipped(t, "run.exe", program)), "bob@a.example"), "552")
	})
}

// children are the processes that the daemon started.
func children(t *testing.T, d *daemon) (out []int) {
	t.Helper()
	list, err := exec.Command("pgrep", "-P", strconv.Itoa(d.cmd.Process.Pid)).Output()
	if err != nil {
		return nil // none at this moment
	}
	for f := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(f); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
