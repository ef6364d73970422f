package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// reloadable is a part of a running gate that SIGHUP reads again from its files.
type reloadable struct {
	name  string
	flags string       // that name its files
	given bool         // whether this gate has such a file
	read  func() error // an error changes nothing
}

// reloader reads files again while the gate serves.
type reloader struct {
	hangup <-chan os.Signal
	items  []reloadable // also those that are not given
	after  func()       // called when files were read anew
	log    *slog.Logger
}

// run reads all files again with each signal, until ctx is done.
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

// reload reads all files again. If a file cannot be read, the gate keeps what it had.
func (r *reloader) reload() {
	var given, done, flags []string
	for _, item := range r.items {
		flags = append(flags, item.flags)
		if !item.given {
			continue
		}
		given = append(given, item.name)
		if err := item.read(); err != nil {
			r.log.Error("a file could not be read anew: the gate goes on with what it had", "what",
				item.name, "error", err)
			continue
		}
		done = append(done, item.name)
	}
	if len(given) == 0 {
		r.log.Info("SIGHUP: there are no files to read anew: only those of these flags are read again, so restart " +
			"the gate to change anything else: " + strings.Join(flags, ", "))
		return
	}
	if len(done) == 0 {
		return // each has said why
	}
	r.log.Info("SIGHUP: files were read anew", "what", done)
	r.after()
}

// reloadables returns every part of a gate that SIGHUP can read again. PortOne's API secrets
// are not among them: they are read at the start alone.
func (p *parts) reloadables() []reloadable {
	c := p.flags
	return []reloadable{
		{
			"refusal log", "--refusal-log", p.refusalFile != nil,
			func() error { return p.refusalFile.reopen() },
		},
		{
			"signing keys", "--signing-key-file", c.SigningKeyFile.IsFile(),
			func() error { return replace(p.keys, c.keys) },
		},
		{
			"webhook secrets", "--webhook-secret-file", c.WebhookSecretFile.IsFile(),
			func() error { return replace(p.secrets, c.secrets) },
		},
		{
			"notify secrets", "--notify-secret-file", c.NotifySecretFile.IsFile(),
			func() error { return replace(p.notify, c.notifySecrets) },
		},
		{
			"admin tokens", "--admin-token-file, --admin-read-token-file",
			c.AdminTokenFile.IsFile() || c.AdminReadTokenFile.IsFile(),
			func() error { return replace(p.tokens, c.tokens) },
		},
		{
			"credentials for Redis", "--redis-password-file, --redis-ca, --redis-cert, --redis-key",
			c.redisAccess.reloadable(), p.renewCredentials,
		},
	}
}

// renewCredentials reads the password and the certificates for Redis again.
func (p *parts) renewCredentials() error {
	fresh, err := p.flags.redisAccess.read()
	if err == nil {
		p.store.Renew(fresh)
	}
	return err
}

// replace puts what read returns in the place of old.
func replace[T interface{ Replace(T) }](old T, read func() (T, error)) error {
	fresh, err := read()
	if err == nil {
		old.Replace(fresh)
	}
	return err
}

// logFile is a log that others may move away: reopen then starts a new file of the same name.
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
