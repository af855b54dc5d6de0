// Commands to persistent actors of Apache Pekko: an answer counts when its event is in the journal.
//   java -Dconfig.file=FILE -cp JARS PekkoBench.java ACTORS IN_FLIGHT SECONDS
// Prints one JSON object. The event is 300 bytes; byte arrays need no serializer of ours.
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;

public class PekkoBench {
  static final byte[] EVENT = new byte[300];
  static final Duration TIMEOUT = Duration.ofSeconds(30);
  static final double WARM_UP_SECONDS = 10;

  record Add(ActorRef<Integer> replyTo) {}

  static class Counter extends EventSourcedBehavior<Add, byte[], Integer> {
    Counter(String id) {
      super(PersistenceId.ofUniqueId(id));
    }

    @Override
    public Integer emptyState() {
      return 0;
    }

    @Override
    public CommandHandler<Add, byte[], Integer> commandHandler() {
      return newCommandHandlerBuilder()
          .forAnyState()
          .onCommand(
              Add.class,
              (state, add) -> Effect().persist(EVENT).thenReply(add.replyTo(), now -> now))
          .build();
    }

    @Override
    public EventHandler<Integer, byte[]> eventHandler() {
      return (state, event) -> state + 1;
    }
  }

  final ActorSystem<Void> system;
  final ArrayList<ActorRef<Add>> actors = new ArrayList<>();

  PekkoBench(int count) {
    system =
        ActorSystem.create(
            Behaviors.setup(
                context -> {
                  for (int i = 0; i < count; ++i)
                    actors.add(context.spawn(new Counter("counter-" + i), "counter-" + i));
                  return Behaviors.empty();
                }),
            "bench");
  }

  // Keeps `inFlight` commands not answered, round robin over the actors, for so many seconds.
  long[] run(int inFlight, double seconds) throws InterruptedException {
    var took = new long[4_000_000];
    var answered = new AtomicInteger();
    var asked = new AtomicInteger();
    var failed = new LongAdder();
    var open = new CountDownLatch(inFlight);
    long until = System.nanoTime() + (long) (seconds * 1e9);
    var next =
        new Runnable() {
          public void run() {
            long began = System.nanoTime();
            if (began > until) {
              open.countDown();
              return;
            }
            var actor = actors.get(asked.getAndIncrement() % actors.size());
            AskPattern.<Add, Integer>ask(actor, Add::new, TIMEOUT, system.scheduler())
                .whenComplete(
                    (count, error) -> {
                      if (error == null)
                        took[answered.getAndIncrement()] = System.nanoTime() - began;
                      else failed.increment();
                      run();
                    });
          }
        };
    for (int i = 0; i < inFlight; ++i) next.run();
    open.await();
    if (failed.sum() > 0) throw new IllegalStateException(failed.sum() + " commands failed");
    var sorted = Arrays.copyOf(took, answered.get());
    Arrays.sort(sorted);
    return sorted;
  }

  public static void main(String[] given) throws Exception {
    int inFlight = Integer.parseInt(given[1]);
    double seconds = Double.parseDouble(given[2]);
    var bench = new PekkoBench(Integer.parseInt(given[0]));
    Thread.sleep(1000);
    bench.run(inFlight, WARM_UP_SECONDS); // recovers every actor, and the compiler learns
    long began = System.nanoTime();
    var took = bench.run(inFlight, seconds);
    double elapsed = (System.nanoTime() - began) / 1e9;
    System.out.printf(
        "{\"per_second\": %f, \"p50_us\": %f, \"p99_us\": %f}%n",
        took.length / elapsed,
        took[took.length / 2] / 1e3,
        took[(int) (took.length * 99L / 100)] / 1e3);
    bench.system.terminate();
    bench.system.getWhenTerminated().toCompletableFuture().get();
    System.exit(0);
  }
}
