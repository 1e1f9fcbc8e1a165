// The JDK's own HttpClient as it comes: it offers h2c with each request in plaintext.
// java Chats URL KEY BODY COUNT: sends the same chat COUNT times on one client; prints a status and the
// answer's last line for each.
//
// The tests' Java has no compiler. Chats.class.base64 is this file, compiled:
//   javac --release 17 -g:none Chats.java && base64 -w 100 Chats.class > Chats.class.base64
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public class Chats {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("authorization", "Bearer " + arguments[1])
            .header("content-type", "application/json")
            .timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofString(arguments[2]))
            .build();
        for (int number = 0; number < Integer.parseInt(arguments[3]); number++) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            String[] lines = answer.body().split("\n");
            System.out.println(answer.statusCode() + " " + answer.version() + " " + lines[lines.length - 1]);
        }
    }
}
