package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// javaProgram posts its second argument to its first, and asks before it sends it.
const javaProgram = `
import java.net.URI;
import java.net.http.*;
import java.time.Duration;

public class Ask {
	public static void main(String[] args) throws Exception {
		var request = HttpRequest.newBuilder(URI.create(args[0])).version(HttpClient.Version.HTTP_1_1).timeout(Duration.ofSeconds(20))
			.header("Content-Type", "Application/JSON; Charset=UTF-8").expectContinue(true)
			.POST(HttpRequest.BodyPublishers.ofString(args[1])).build();
		var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
		System.out.println(answer.statusCode() + " " + answer.body());
	}
}
`

// Java's own client writes Expect: 100-Continue.
func TestJavasClientIsAnswered(t *testing.T) {
	t.Parallel()
	java, err := exec.LookPath("java") // which is not needed for anything else
	if err != nil {
		t.Skip("java is not installed")
	}
	gate := serveSale(t, redistest.Start(t).URL(), openSale("race", 10))
	path := filepath.Join(t.TempDir(), "Ask.java")
	if err := os.WriteFile(path, []byte(javaProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), java, path, "http://"+gate.listen+"/confirm/race?items=unit",
		v1("order-1", "i")).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(said), `200 {"code":"held"`) {
		t.Errorf("%v\n%s", err, said)
	}
}
