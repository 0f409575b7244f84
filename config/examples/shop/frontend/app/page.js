import Items from "./items";

export default function Page() {
  return (
    <main>
      <h1>Shop</h1>
      <Items />
      <footer>
        <small>version {process.env.NEXT_PUBLIC_VERSION}</small>
      </footer>
    </main>
  );
}
