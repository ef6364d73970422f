//go:build !linux

package deploy_test

import "testing"

func TestACutNetwork(t *testing.T) {
	t.Skip("only Linux has the network namespaces in which a network is cut")
}
