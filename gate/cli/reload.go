package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// reloadable is something of a running gate that is read anew on SIGHUP.
type reloadable struct {
	name string
	read func() error // changes nothing where it fails
}

// reloader reads files anew while the gate serves.
type reloader struct {
	hangup <-chan os.Signal
	items  []reloadable
	after  func() // called when files were read anew
	log    *slog.Logger
}

// run reads everything anew with each signal, until ctx is done.
func (r *reloader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangup:
			r.reload()
		}
	}
}

// reload reads everything anew. What cannot be read stays as it was.
func (r *reloader) reload() {
	if len(r.items) == 0 {
		r.log.Info("SIGHUP: there are no files to read anew: they are those of --refusal-log and of the flags that " +
			"end in -file, and certificates for Redis; what the environment or the command line says stays as it is")
		return
	}
	var done []string
	for _, item := range r.items {
		if err := item.read(); err != nil {
			r.log.Error("a file could not be read anew: the gate goes on with what it had", "what",
				item.name, "error", err)
			continue
		}
		done = append(done, item.name)
	}
	if len(done) == 0 {
		return // each has said why
	}
	r.log.Info("SIGHUP: files were read anew", "what", done)
	r.after()
}

// reloadables are the parts of a gate that came from files.
func (p *parts) reloadables() []reloadable {
	c := p.flags
	var items []reloadable
	add := func(given bool, name string, read func() error) {
		if given {
			items = append(items, reloadable{name, read})
		}
	}
	add(p.refusalFile != nil, "refusal log", func() error { return p.refusalFile.reopen() })
	add(c.SigningKeyFile.IsFile(), "signing keys", func() error { return replace(p.keys, c.keys) })
	add(c.WebhookSecretFile.IsFile(), "webhook secrets", func() error { return replace(p.secrets, c.secrets) })
	add(c.NotifySecretFile.IsFile(), "notify secrets", func() error { return replace(p.notify, c.notifySecrets) })
	add(c.AdminTokenFile.IsFile() || c.AdminReadTokenFile.IsFile(), "admin tokens",
		func() error { return replace(p.tokens, c.tokens) })
	add(c.redisAccess.reloadable(), "credentials for Redis", func() error {
		fresh, err := c.redisAccess.read()
		if err == nil {
			p.store.Renew(fresh)
		}
		return err
	})
	return items
}

// replace puts what is read now in the place of what was read before.
func replace[T interface{ Replace(T) }](old T, read func() (T, error)) error {
	fresh, err := read()
	if err == nil {
		old.Replace(fresh)
	}
	return err
}

// logFile is a file that others may move away, and that is then made anew.
type logFile struct {
	path string

	mu     sync.Mutex
	file   *os.File
	inLine bool // the newest line has no end yet
	moved  bool // reopen at the end of the line
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.open()
}

func (l *logFile) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	old := l.file
	l.file, l.moved = file, false
	if old != nil {
		return old.Close()
	}
	return nil
}

// reopen goes on in a file of the old name, after the line that is being written.
func (l *logFile) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inLine {
		l.moved = true
		return nil
	}
	return l.open()
}

// Write implements io.Writer.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(b)
	if n > 0 {
		l.inLine = b[n-1] != '\n'
	}
	if l.moved && !l.inLine {
		if failed := l.open(); failed != nil {
			err = errors.Join(err, fmt.Errorf("go on in a new file: %w", failed))
		}
	}
	return n, err
}

// Close implements io.Closer. A nil *logFile has nothing to close.
func (l *logFile) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
