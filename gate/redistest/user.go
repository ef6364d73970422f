package redistest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every server knows the user of deploy/redis/users.acl, under this name and
// password. It has characters that an address must encode.
const (
	user     = "flashgate"
	Password = "open/sesame@7"
)

// aclFile is the name of a server's file of users, in its directory.
const aclFile = "users.acl"

// Rights returns what deploy/redis/users.acl gives its user: all of its rules
// but that it is on and has a password.
func Rights(t testing.TB) []string {
	t.Helper()
	rights, err := rights()
	if err != nil {
		t.Fatal(err)
	}
	return rights
}

func rights() ([]string, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(root, "deploy", "redis", "users.acl")
	users, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(users), "\n")
	rules, ok := strings.CutPrefix(first, "user "+user+" on >PASSWORD ")
	if !ok {
		return nil, fmt.Errorf("the first line of %s is not \"user %s on >PASSWORD …\"", path, user)
	}
	return strings.Fields(rules), nil
}

// moduleRoot is the first directory with a go.mod from the working directory up.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if !errors.Is(err, os.ErrNotExist) {
			return dir, err
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the test does not run inside of the module")
		}
	}
}

// writeUsers puts the user into the file that a server reads its users from.
func writeUsers(dir string) error {
	rules, err := rights()
	if err != nil {
		return err
	}
	line := append([]string{"user", user, "on", ">" + Password}, rules...)
	return os.WriteFile(filepath.Join(dir, aclFile), []byte(strings.Join(line, " ")+"\n"), 0o600)
}

// userAt puts the user and the password before hosts, as in an address.
func userAt(hosts string) string {
	return url.UserPassword(user, Password).String() + "@" + hosts
}

// checkRights fails the test if the user was refused anything, also what its
// client did without. A test in which that is meant ends with ACL LOG RESET.
func (s *Server) checkRights() {
	s.t.Helper()
	reply, err := s.do("ACL", "LOG")
	if err != nil {
		return // it does not run any more
	}
	list, _ := reply.([]any)
	for _, item := range list {
		if entry := pairs(item); entry["username"] == user {
			s.t.Errorf("redis-server on port %d refused its user %s %s times: deploy/redis/users.acl lacks the %s %s",
				s.port, user, entry["count"], entry["reason"], entry["object"])
		}
	}
}
