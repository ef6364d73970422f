package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// BodyError rewords an error of decoding JSON without naming types of Go, so that whoever sent the
// body understands it. Any other error is returned as it is.
func BodyError(err error) error {
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		field := wrong.Field
		if field == "" {
			field = "it"
		}
		return fmt.Errorf("%s must be %s, not %s", field, kindOf(wrong.Type), valueOf(wrong.Value))
	}
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early: its JSON is cut off")
	}
	if field, is := strings.CutPrefix(err.Error(), "json: unknown field "); is {
		return fmt.Errorf("unknown field %s", field)
	}
	return err
}

// valueOf words the value that a decoder calls "string", or "number 80000.0".
func valueOf(value string) string {
	switch value {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		return "a number"
	}
	return strings.TrimPrefix(value, "number ")
}

// kindOf names the kind of JSON value that a type of Go is read from.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number in plain digits"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Pointer:
		return kindOf(t.Elem())
	}
	return "an object"
}
