/// The recipes embedded in the program.
public enum ShippedRecipes {}
