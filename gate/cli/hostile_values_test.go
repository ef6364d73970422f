package cli

import "strings"

// hostileValues are requests whose query or body has values that no shop sends.
func hostileValues(refused string) []hostile {
	return []hostile{
		{
			name:   "ids in another script, with braces and separators",
			sends:  call("?items=unit&buyer=%EA%B9%80%7B%7D%7C%3A%2C", "", v1("주문-{race}:|,", "시도-{}")),
			want:   "200 held",
			orders: []string{"주문-{race}:|,"},
		},
		{
			name:  "unit separator in buyer",
			sends: call("?items=unit&buyer=a%1fb", "", refused),
			want:  "400 bad_request",
			says:  "buyer",
		},
		{
			name:  "line break in buyer",
			sends: call("?items=unit&buyer=a%0d%0ab", "", refused),
			want:  "400 bad_request",
			says:  "buyer",
		},
		{
			name:  "broken UTF-8 in buyer",
			sends: call("?items=unit&buyer=%ff", "", refused),
			want:  "400 bad_request",
			says:  "buyer",
		},
		{
			name:  "two buyers",
			sends: call("?items=unit&buyer=a&buyer=b", "", refused),
			want:  "400 bad_request",
			says:  "buyer",
		},
		{
			name:  "unit separator in an id",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"a\u001fb","amount":1}`),
			want:  "400 bad_request",
			says:  "merchant_uid",
		},
		{
			name:  "line break in an id",
			sends: withBody(`{"imp_uid":"a\nb","merchant_uid":"refused","amount":1}`),
			want:  "400 bad_request",
			says:  "imp_uid",
		},
		{
			name:  "null in an id",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"\u0000","amount":1}`),
			want:  "400 bad_request",
			says:  "merchant_uid",
		},
		{
			name:  "half a surrogate in an id",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"\ud800","amount":1}`),
			want:  "400 bad_request",
		},
		{
			name:  "long id",
			sends: withBody(v1(strings.Repeat("o", 65), "i")),
			want:  "400 bad_request",
			says:  "merchant_uid",
		},
		{
			name:  "no units",
			sends: call("?items=unit:0", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "negative units",
			sends: call("?items=unit:-1", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "units beyond 64 bits",
			sends: call("?items=unit:18446744073709551617", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "units in two lines",
			sends: call("?items=unit:1,unit:1", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "items twice",
			sends: call("?items=unit&items=unit", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "a thousand lines",
			sends: call("?items="+strings.Repeat("unit,", 500)+"unit", "", refused),
			want:  "400 bad_request",
			says:  "items",
		},
		{
			name:  "negative amount",
			sends: withAmount("-1"),
			want:  "400 bad_request",
			says:  "amount",
		},
		{
			name:  "amount beyond doubles",
			sends: withAmount("1e400"),
			want:  "400 bad_request",
			says:  "amount",
		},
		{
			name:  "amount beyond 64 bits",
			sends: withAmount("18446744073709551617"),
			want:  "400 bad_request",
			says:  "amount",
		},
		{
			name:  "exponent beyond 64 bits",
			sends: withAmount("1e99999999999999999999"),
			want:  "400 bad_request",
			says:  "amount",
		},
		{
			name:  "fraction of an amount",
			sends: withAmount("10.5"),
			want:  "400 bad_request",
			says:  "amount",
		},
		{
			name:  "amount that is no number",
			sends: withAmount("NaN"),
			want:  "400 bad_request",
			says:  "JSON",
		},
		{
			name:  "key twice",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","merchant_uid":"other","amount":1}`),
			want:  "400 bad_request",
			says:  "once",
		},
		{
			name:  "key twice, once escaped",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","\u006derchant_uid":"other","amount":1}`),
			want:  "400 bad_request",
			says:  "once",
		},
		{
			name:  "nested arrays",
			sends: withBody(`{"a":` + strings.Repeat("[", 15<<10)),
			want:  "400 bad_request",
			says:  "nested",
		},
		{
			name:  "nested objects",
			sends: withBody(strings.Repeat(`{"a":`, 2<<10) + "1" + strings.Repeat("}", 2<<10)),
			want:  "400 bad_request",
			says:  "nested",
		},
	}
}
