package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/loadtest/standin"
)

func TestWhateverTheShopMayDoHasAFlag(t *testing.T) {
	t.Parallel()
	var f standinFlags
	flags := reflect.ValueOf(&f).Elem()
	for i, field := range reflect.VisibleFields(reflect.TypeFor[standin.Plan]()) {
		flag := flags.FieldByName("Shop" + field.Name)
		if !flag.IsValid() {
			t.Errorf("%s has no flag", field.Name)
			continue
		}
		number := reflect.ValueOf(i + 1).Convert(field.Type)
		flag.Set(number)
		if got := reflect.ValueOf(f.options(7).Plan).FieldByName(field.Name); !got.Equal(number) {
			t.Errorf("%s is %v in the plan, want %v", field.Name, got, number)
		}
	}
	if f.options(7).Seed != 7 {
		t.Error("what the shop says is not drawn from --seed")
	}
}

// What it prints is what a sale and a gate need: a question that is signed with
// that secret, sent to that URL, is answered.
func TestTheStandInForTheShopSaysHowToAskIt(t *testing.T) {
	t.Parallel()
	p, _ := startPortone(t, "--shop", "127.0.0.1:0", "--shop-refuses", "1")
	said := func(pattern string) (found string) {
		t.Helper()
		await(t, pattern, func() error {
			m := regexp.MustCompile(pattern).FindStringSubmatch(p.Log())
			if m == nil {
				return errors.New("it has not said so")
			}
			found = m[1]
			return nil
		})
		return found
	}
	asks, healthy, secret := said(`(?m)^  ask: (\S+)$`), said(`(?m)^  healthy: (\S+)$`),
		said(`(?m)^  export FLASHGATE_NOTIFY_SECRET=(\S+)$`)
	if _, err := shop.ParseSecrets(secret); err != nil {
		t.Errorf("a gate takes no such secret: %v", err)
	}
	if status, err := askShop(t, asks, secret, "ORD1"); err != nil || status != http.StatusConflict {
		t.Errorf("%s answers %d, %v", asks, status, err)
	}
	answer, err := http.Get(healthy)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("%s answers %d", healthy, answer.StatusCode)
	}
	p.stop(t)
}

// askShop asks a shop about an order, as a gate does.
func askShop(t *testing.T, url, secret, order string) (status int, err error) {
	t.Helper()
	body := fmt.Sprintf(
		`{"type":"order.ask","id":"ask_1","timestamp":"2026-12-01T01:00:31Z","sale":"race","run":1,"order":%q,"attempt":"imp_1","version":1,"lines":[{"sku":"full","quantity":1}]}`, order)
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	signature, err := hook.Sign("ask_1", now, []byte(body))
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("webhook-id", "ask_1")
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", signature)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

// Whatever waits for an answer of the shop's, the simulator ends when it is told to.
func TestTheStandInForTheShopEndsWhileOrdersHang(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &portoneSimCommand{
		Listen:       "127.0.0.1:0",
		standinFlags: standinFlags{Shop: "127.0.0.1:0", ShopSecret: notifySecret, ShopHangs: 1},
	}
	at, ended := make(chan simulated, 1), make(chan error, 1)
	go func() {
		ended <- c.simulate(ctx, &environment{out: io.Discard, err: io.Discard}, func(s simulated) { at <- s })
	}()
	where := <-at
	unheard := make(chan error, 1)
	go func() {
		_, err := askShop(t, "http://"+where.shop.String()+"/ask", notifySecret, "ORD1")
		unheard <- err
	}()
	await(t, "the ask to be there", func() error {
		answer, err := http.Get("http://" + where.shop.String() + "/asks")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var page standin.Page
		if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
			return err
		}
		if len(page.Asks) != 1 || page.Asks[0].Word != standin.Hang {
			return fmt.Errorf("the log has %+v", page)
		}
		return nil
	})
	began := time.Now()
	stop()
	if err := <-ended; err != nil || time.Since(began) > 4*time.Second {
		t.Errorf("it ended after %s with %v", time.Since(began), err)
	}
	if err := <-unheard; err == nil {
		t.Error("the order that hangs was answered")
	}
}
