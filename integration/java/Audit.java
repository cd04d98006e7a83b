import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * The witness that is not ours: everything here goes through Apache's own Java client, reading committed records only, and
 * shares no line with the relay.
 *
 * <pre>
 * Audit watch    prints events as they arrive                          (Watch)
 * Audit count    reads to the end and counts what is wrong             (Count)
 * Audit latency  measures insert to arrival                            (Latency)
 * Audit admin    topics, records, users, access rules, transactions    (Admin)
 * Audit serve    any of these, one command a line on standard input, its arguments separated by tabs; each ends with a line
 *                "ok JSON" or "error TEXT". Saves the start of a Java process per question.
 * </pre>
 *
 * Exit code 0: done. 1: failed, the reason on standard error. 64: usage.
 */
public final class Audit {
  private Audit() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 0) {
      System.err.println("usage: Audit watch|count|latency|admin|serve --bootstrap HOST:PORT [--option value]...");
      System.exit(64);
    }
    PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
    try {
      if (arguments[0].equals("serve")) {
        serve(out);
      } else {
        out.println(run(Arrays.asList(arguments), out));
      }
    } catch (Exception failure) {
      System.err.println("Audit: " + reason(failure));
      System.exit(1);
    } finally {
      out.flush();
    }
  }

  private static void serve(PrintStream out) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        out.println("ok " + run(Arrays.asList(line.split("\t", -1)), out));
      } catch (Exception failure) {
        out.println("error " + reason(failure).replace('\n', ' '));
      }
      out.flush();
    }
  }

  private static String run(List<String> arguments, PrintStream out) throws Exception {
    List<String> rest = arguments.subList(1, arguments.size());
    return switch (arguments.get(0)) {
      case "watch" -> Watch.run(new Options(rest), out);
      case "count" -> Count.run(new Options(rest));
      case "latency" -> Latency.run(new Options(rest), out);
      case "admin" -> Admin.run(rest);
      default -> throw new IllegalArgumentException("unknown command " + arguments.get(0));
    };
  }

  private static String reason(Throwable failure) {
    Throwable cause = failure instanceof java.util.concurrent.ExecutionException ? failure.getCause() : failure;
    return cause.getClass().getSimpleName() + ": " + cause.getMessage();
  }
}
