/**
 * A hash table from byte strings to three numbers, for millions of entries in little memory: it keeps 128 bits of hash
 * instead of the strings. Two different strings of ten million meet with a probability below 1e-24.
 */
final class Table {
  private static final int WIDTH = 5;  // two words of hash, three numbers
  private long[] cells = new long[WIDTH * (1 << 12)];
  private int used = 0;

  /** The place of the entry, made of zeros when it was not there; isNew() tells until the next call. Valid until the next call. */
  int find(byte[] first, byte[] second) {
    if ((used + 1) * WIDTH * 2 > cells.length) grow();
    long a = hash(hash(0x9E3779B97F4A7C15L, first), second);
    long b = hash(hash(0xC2B2AE3D27D4EB4FL, second), first) | 1;  // never 0: 0 marks a free cell
    int place = slot(cells, a, b);
    isNew = cells[place + 1] == 0;
    if (isNew) {
      cells[place] = a;
      cells[place + 1] = b;
      used++;
    }
    return place;
  }

  private boolean isNew;

  boolean isNew() {
    return isNew;
  }

  long get(int place, int number) {
    return cells[place + 2 + number];
  }

  void set(int place, int number, long value) {
    cells[place + 2 + number] = value;
  }

  int size() {
    return used;
  }

  private static int slot(long[] cells, long a, long b) {
    int count = cells.length / WIDTH;
    int i = (int) (a & (count - 1));
    while (cells[i * WIDTH + 1] != 0 && (cells[i * WIDTH] != a || cells[i * WIDTH + 1] != b)) i = (i + 1) & (count - 1);
    return i * WIDTH;
  }

  private void grow() {
    long[] larger = new long[cells.length * 2];
    for (int i = 0; i < cells.length; i += WIDTH) {
      if (cells[i + 1] != 0) System.arraycopy(cells, i, larger, slot(larger, cells[i], cells[i + 1]), WIDTH);
    }
    cells = larger;
  }

  private static long hash(long seed, byte[] bytes) {
    long h = seed;
    if (bytes != null) for (byte b : bytes) h = Long.rotateLeft((h ^ b) * 0x9FB21C651E98DF25L, 29);
    h ^= h >>> 32;
    h *= 0xD6E8FEB86659FD93L;
    return h ^ (h >>> 32);
  }
}
