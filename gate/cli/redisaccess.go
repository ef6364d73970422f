package cli

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/store"
)

// redisAccess is how every command and Redis prove to each other who they are.
type redisAccess struct {
	RedisPasswordFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the password for the user in --redis, if that address has no password. An address with a password belongs in FLASHGATE_REDIS."`

	RedisCA   string `name:"redis-ca" placeholder:"FILE" help:"Certificates of the authorities that signed those of Redis, in PEM, for a rediss address (the system's authorities)."`
	RedisCert string `placeholder:"FILE" help:"Client certificate for Redis, in PEM."`
	RedisKey  string `placeholder:"FILE" help:"The client certificate's private key, in PEM."`
}

// usesTLS reports whether any flag is given that needs TLS.
func (f *redisAccess) usesTLS() bool { return f.RedisCA != "" || f.RedisCert != "" || f.RedisKey != "" }

func (f *redisAccess) given() bool { return f.usesTLS() || f.RedisPasswordFile != nil }

// reloadable reports whether any of its files can be read again.
func (f *redisAccess) reloadable() bool { return f.usesTLS() || f.RedisPasswordFile.IsFile() }

// read reads the files.
func (f *redisAccess) read() (c store.Credentials, err error) {
	password, err := cmdline.SecretText("redis-password", nil, f.RedisPasswordFile)
	if err != nil {
		return c, err
	}
	if password != nil {
		c.Password = *password
	}
	return c, f.readTLS(&c)
}

// readTLS reads the files with certificates and the key.
func (f *redisAccess) readTLS(c *store.Credentials) error {
	if (f.RedisCert == "") != (f.RedisKey == "") {
		return errors.New("--redis-cert and --redis-key: give both, a certificate is of no use without its key")
	}
	if f.RedisCA != "" {
		pool, err := cmdline.ReadAuthorities("redis-ca", f.RedisCA)
		if err != nil {
			return err
		}
		c.CA = pool
	}
	if f.RedisCert == "" {
		return nil
	}
	cert, err := cmdline.ReadPEM("redis-cert", f.RedisCert)
	if err != nil {
		return err
	}
	key, err := cmdline.ReadPEM("redis-key", f.RedisKey)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--redis-cert %s with --redis-key %s: %w", f.RedisCert, f.RedisKey, err)
	}
	c.Certificate = &pair
	return nil
}
