import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import liquibase.Contexts;
import liquibase.LabelExpression;
import liquibase.Liquibase;
import liquibase.database.DatabaseFactory;
import liquibase.database.jvm.JdbcConnection;
import liquibase.resource.DirectoryResourceAccessor;
import org.flywaydb.core.Flyway;

/**
 * Runs the files of a directory by Flyway or Liquibase, as their command lines do.
 *
 * <p>Arguments: flyway up, liquibase up or liquibase down; a JDBC URL with user and password; the directory.
 */
final class Migrations {
  public static void main(String[] arguments) throws Exception {
    String tool = arguments[0];
    String direction = arguments[1];
    String url = arguments[2];
    Path directory = Path.of(arguments[3]);
    if (tool.equals("flyway")) {
      Flyway flyway =
          Flyway.configure()
              .dataSource(url, null, null)
              .locations("filesystem:" + directory)
              .baselineOnMigrate(true)
              .baselineVersion("0")
              .load();
      System.out.println(flyway.migrate().migrationsExecuted);
      return;
    }
    try (Connection connection = DriverManager.getConnection(url);
        Liquibase liquibase =
            new Liquibase(
                "outbox_relay.changelog.xml",
                new DirectoryResourceAccessor(directory),
                DatabaseFactory.getInstance().findCorrectDatabaseImplementation(new JdbcConnection(connection)))) {
      if (direction.equals("up")) {
        liquibase.update(new Contexts(), new LabelExpression());
      } else {
        liquibase.rollback(Integer.MAX_VALUE, "");
      }
    }
  }
}
