package tools

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Programs are the installed programs that a Config needs. Paths are absolute.
type Programs struct {
	YARA, Compiler   string
	YARAVersion      string // "4.2.3"
	Tesseract        string
	TesseractVersion string // "tesseract 5.3.0"
	Data             string // folder of its languages
}

// folders are searched beside PATH: a daemon's may be short.
var folders = []string{"/usr/local/bin", "/usr/bin"}

// locate finds a program.
func locate(name, what, pkg string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range folders {
			if path, err = exec.LookPath(filepath.Join(dir, name)); err == nil {
				break
			}
		}
	}
	if err != nil {
		return "", fmt.Errorf("inspect/tools: %s needs the program %s, which is not installed (Debian: apt-get install %s)", what, name, pkg)
	}
	if path, err = filepath.Abs(path); err == nil {
		path, err = filepath.EvalSymlinks(path) // the sandbox names files, not links
	}
	if err != nil {
		return "", fmt.Errorf("inspect/tools: %s: %w", name, err)
	}
	return path, nil
}

// sayTime is how long a program may take to say its version.
const sayTime = 10 * time.Second

// say runs a program on nothing and returns what it says.
func say(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sayTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("inspect/tools: %s %s: %w: %s", path, strings.Join(args, " "), err, firstLine(out))
	}
	return string(out), nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return strings.ToValidUTF8(string(line[:min(len(line), 300)]), "?")
}

// Find finds the programs that c needs, and asks them for their versions and languages.
func Find(ctx context.Context, c *Config) (p Programs, err error) {
	if len(c.Rules) > 0 {
		if p.YARA, err = locate("yara", "yara_rules", "yara"); err != nil {
			return p, err
		}
		if p.Compiler, err = locate("yarac", "yara_rules", "yara"); err != nil {
			return p, err
		}
		out, err := say(ctx, p.YARA, "--version")
		if err != nil {
			return p, err
		}
		p.YARAVersion = firstLine([]byte(out))
	}
	if !c.OCR {
		return p, nil
	}
	if p.Tesseract, err = locate("tesseract", "ocr", "tesseract-ocr"); err != nil {
		return p, err
	}
	out, err := say(ctx, p.Tesseract, "--version")
	if err != nil {
		return p, err
	}
	p.TesseractVersion = firstLine([]byte(out))
	if out, err = say(ctx, p.Tesseract, "--list-langs"); err != nil {
		return p, err
	}
	var known []string
	if p.Data, known, err = languages(out); err != nil {
		return p, err
	}
	for _, l := range c.Languages {
		if !slices.Contains(known, l) {
			return p, fmt.Errorf("inspect/tools: ocr_languages: tesseract has no %q, only %s (Debian: apt-get install tesseract-ocr-%s)",
				l, strings.Join(known, ", "), strings.ReplaceAll(strings.ToLower(l), "_", "-"))
		}
	}
	return p, nil
}

// languages reads tesseract's list: a line with the folder in quotes, and one for each.
func languages(out string) (folder string, known []string, err error) {
	head, rest, _ := strings.Cut(out, "\n")
	_, quoted, _ := strings.Cut(head, `"`)
	folder, _, ok := strings.Cut(quoted, `"`)
	if !ok || !filepath.IsAbs(folder) {
		return "", nil, fmt.Errorf("inspect/tools: tesseract --list-langs doesn't say where they are: %q", firstLine([]byte(out)))
	}
	if _, err := os.Stat(folder); err != nil {
		return "", nil, fmt.Errorf("inspect/tools: tesseract's languages: %w", err)
	}
	return filepath.Clean(folder), strings.Fields(rest), nil
}
