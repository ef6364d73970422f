package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/web"
)

// reloadable is something of a running gate that is read anew on SIGHUP.
type reloadable struct {
	name string
	read func() error // changes nothing where it fails
}

// reloader reads files anew while the gate serves.
type reloader struct {
	items []reloadable
	log   *slog.Logger
}

// run reads everything anew with each signal, until ctx is done.
func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.reload()
		}
	}
}

// reload reads everything anew. What cannot be read stays as it was.
func (r *reloader) reload() {
	var done []string
	for _, item := range r.items {
		if err := item.read(); err != nil {
			r.log.Error("a file could not be read anew: the gate goes on with what it had", "what", item.name, "error", err)
			continue
		}
		done = append(done, item.name)
	}
	r.log.Info("SIGHUP: files were read anew", "what", done)
}

// values are what a gate holds of the files that are read anew.
type values struct {
	keys     *gate.Keys
	secrets  *portone.Secrets
	notify   *shop.Secrets
	tokens   *web.Tokens
	store    *store.Store
	refusals *logFile
}

// reloadables are the parts of a gate that came from files.
func (c *serveCommand) reloadables(v *values) []reloadable {
	var items []reloadable
	add := func(given bool, name string, read func() error) {
		if given {
			items = append(items, reloadable{name, read})
		}
	}
	add(v.refusals != nil, "refusal log", func() error { return v.refusals.reopen() })
	add(c.SigningKeyFile != nil, "signing keys", func() error { return replace(v.keys, c.keys) })
	add(c.WebhookSecretFile != nil, "webhook secrets", func() error { return replace(v.secrets, c.secrets) })
	add(c.NotifySecretFile != nil, "notify secrets", func() error { return replace(v.notify, c.notifySecrets) })
	add(c.AdminTokenFile != nil || c.AdminReadTokenFile != nil, "admin tokens", func() error { return replace(v.tokens, c.tokens) })
	add(c.redisTLS.given(), "certificates for Redis", func() error {
		var fresh store.Options
		err := c.redisTLS.set(&fresh)
		if err == nil {
			v.store.Renew(fresh.CA, fresh.Certificate)
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
