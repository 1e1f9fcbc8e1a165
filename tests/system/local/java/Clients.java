import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** Asks a ClickHouse front as a BI tool does: JDBC with its defaults, its metadata calls, and an insert. */
public final class Clients {
    interface Case { void run(Connection connection) throws Exception; }

    private static boolean failed;

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:clickhouse://" + arguments[0] + "/comptoir";
        for (String compress : new String[] {"default", "true", "false"}) {
            Properties reader = new Properties();
            if (!compress.equals("default")) {
                reader.setProperty("compress", compress);
            }
            try (Connection connection = DriverManager.getConnection(url, reader)) {
                tell(compress + " valid", connection, Clients::valid);
                tell(compress + " values", connection, Clients::values);
                tell(compress + " many", connection, Clients::many);
                tell(compress + " prepared", connection, Clients::prepared);
                tell(compress + " metadata", connection, Clients::metadata);
                tell(compress + " mistake", connection, Clients::mistake);
                tell(compress + " refused", connection, Clients::refused);
            }
            Properties writer = new Properties();
            writer.putAll(reader);
            writer.setProperty("user", arguments[1]);
            writer.setProperty("password", arguments[2]);
            try (Connection connection = DriverManager.getConnection(url, writer)) {
                tell(compress + " batch", connection, Clients::batch);
            }
        }
        System.exit(failed ? 1 : 0);
    }

    private static void tell(String name, Connection connection, Case one) {
        try {
            one.run(connection);
            System.out.println(name + " ok");
        } catch (Throwable error) {
            failed = true;
            System.out.println(name + " error: " + error);
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    private static void valid(Connection connection) throws SQLException {
        check(connection.isValid(10), "not valid");
    }

    private static void values(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT toUInt64(18446744073709551615) AS big, 'x' AS text,"
                        + " toDateTime64(1, 3, 'UTC') AS moment, [1, 2] AS list, CAST(NULL, 'Nullable(UInt8)') AS absent")) {
            check(rows.next(), "no row");
            check(rows.getString("big").equals("18446744073709551615"), "big");
            check(rows.getString("text").equals("x"), "text");
            check(rows.getTimestamp("moment").getTime() == 1000, "moment");
            rows.getInt("absent");
            check(rows.wasNull(), "absent");
            check(!rows.next(), "a second row");
        }
    }

    private static void many(Connection connection) throws SQLException {
        long sum = 0;
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT number, toString(number) FROM numbers(200000)")) {
            while (rows.next()) {
                sum += rows.getLong(1);
            }
        }
        check(sum == 19999900000L, "sum " + sum);
    }

    private static void prepared(Connection connection) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT count() FROM numbers(100) WHERE number >= ? AND toString(number) != ?")) {
            statement.setInt(1, 90);
            statement.setString(2, "it's");
            try (ResultSet rows = statement.executeQuery()) {
                check(rows.next() && rows.getInt(1) == 10, "count");
            }
        }
    }

    private static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        check(metadata.getDatabaseProductVersion().length() > 0, "version");
        boolean isThere = false;
        try (ResultSet schemas = metadata.getSchemas()) {
            while (schemas.next()) {
                isThere |= schemas.getString("TABLE_SCHEM").equals("comptoir");
            }
        }
        check(isThere, "schema comptoir");
        try (ResultSet tables = metadata.getTables(null, "comptoir", "of_java", null)) {
            check(tables.next(), "table");
        }
        try (ResultSet columns = metadata.getColumns(null, "comptoir", "of_java", null)) {
            check(columns.next() && columns.next() && !columns.next(), "two columns");
        }
        metadata.getTableTypes().close();
        metadata.getTypeInfo().close();
        metadata.getCatalogs().close();
        metadata.getFunctions(null, null, "count%").close();
    }

    private static void mistake(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT nowhere FROM numbers(1)");
            throw new IllegalStateException("no error came");
        } catch (SQLException error) {
            check(error.getMessage().contains("Code: 47."), error.getMessage());
        }
    }

    private static void refused(Connection connection) {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE comptoir.of_a_reader (a UInt8) ENGINE = MergeTree ORDER BY a");
        } catch (SQLException error) {
            return;
        }
        throw new IllegalStateException("a reader made a table");
    }

    private static void batch(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("TRUNCATE TABLE comptoir.of_java");
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO comptoir.of_java (a, b) VALUES (?, ?)")) {
            for (int number = 0; number < 1000; number++) {
                statement.setLong(1, number);
                statement.setLong(2, number * 3L);
                statement.addBatch();
            }
            statement.executeBatch();
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT count(), sum(b) FROM comptoir.of_java")) {
            check(rows.next() && rows.getInt(1) == 1000 && rows.getLong(2) == 1498500, "rows");
        }
    }
}
